"""What a reader of a report must know, once."""

READING = (
    "Means are over the seeds of the transfer, ± is their standard deviation. The 95 % interval of a difference covers"
    " other seeds and other test images of the same kind: the variance over the seeds (Welch) and that over 1,000"
    " resamples of the test images, the same for both sides (paired bootstrap), are added. Of one seed it covers the"
    " test images alone. It says which. There is one pre-training per initialization: no interval says what another"
    " pre-training run would give.",
    "A sentence names the initialization with the highest gain, of those whose interval is clear of zero if there are"
    " any: a choice that favors what came out high by chance."
    " Intervals are not corrected for the number of comparisons: of twenty without any difference, one is"
    " expected to look like one.",
    "Brackets beside a single value of a probe are its 95 % interval over the test images, with one run: they cover"
    " neither seeds nor another pre-training.",
    "The paper's figures are of a ResNet-101 on the full data sets. Where this study uses another model or other data,"
    " compare the order of the initializations, not the level.",
)
