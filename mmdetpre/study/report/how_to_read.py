"""What a reader of a report must know, once."""

READING = (
    "Means are over the seeds of the transfer, ± is their standard deviation. An interval of a difference is Welch's"
    " t-interval of 95 % over these seeds, with one pre-training per initialization: it says nothing of what"
    " another pre-training run would give.",
    "A sentence names the initialization with the highest gain, of those whose interval is clear of zero if there are"
    " any: a choice that favors what came out high by chance."
    " Intervals are not corrected for the number of comparisons: of twenty without any difference, one is"
    " expected to look like one.",
    "Brackets beside a single value of a probe are its 95 % interval over the test images, with one run: they cover"
    " neither seeds nor another pre-training.",
    "The paper's figures are of a ResNet-101 on the full data sets. Where this study uses another model or other data,"
    " compare the order of the initializations, not the level.",
)
