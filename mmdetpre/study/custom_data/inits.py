"""The initializations of a user's study: files of weights, checked to fit the model before anything is written."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmdetpre.analysis.features.extract import open_feature_source
from mmdetpre.inference.stored_model import build_stored_model
from mmdetpre.paper.tables import LAYERS
from mmdetpre.study.spec import SCRATCH
from mmdetpre.transfer.checkpoint_reader import Checkpoint, CheckpointError, read_checkpoint
from mmdetpre.transfer.inspect_backbone import inspect_into
from mmdetpre.transfer.key_map import KeyMapError
from mmdetpre.utils.bounded_files import GIB
from mmdetpre.utils.config_writer import ConfigFile
from mmdetpre.utils.literal_config import literal_config
from mmdetpre.zoo.entry import PREFIX
from mmdetpre.zoo.hub_address import SCHEME

_FETCHED = (PREFIX, SCHEME)
"""How names begin of weights that are fetched and checked before anything is written."""
_PUBLISHED = re.compile(r"^((torchvision|open-mmlab|mmcls|jhu|bcls)://|zoo:)")


@dataclass(frozen=True)
class OwnInit:
    """Weights that a backbone is initialized with.

    Attributes:
        key: Name in the study.
        title: Name in the tables.
        checkpoint: Absolute path, or address.
        found: What the check of the file said, one line.
        detector: Config of the whole detector in the file, whose layers can be probed; None if it holds none.
        part: Prefix and entry of the backbone in the file, where they were given: `init` then takes it out of the file.
    """

    key: str
    title: str
    checkpoint: str
    found: str
    detector: ConfigFile | None = None
    part: tuple[str | None, str | None] | None = None

    @property
    def weights(self) -> str:
        """The file or address that the study loads; in its own folder, where it holds what is taken out of a file."""
        return f"weights/init_{self.key}.pth" if self.part else self.checkpoint


def read_own_inits(arguments: Sequence[str], config: Path, *, published: bool = True) -> list[OwnInit]:
    """Initializations of ``KEY=FILE`` arguments, each checked against the backbone of a config.

    An address (``torchvision://resnet101``) is not fetched, so that it is checked only when the study loads it; a file
    of the zoo (``zoo:resnet101/imagenet1k-v2``) or of the Hugging Face Hub (``hf://USER/REPO``) is.

    Args:
        arguments: One per initialization.
        config: The config.
        published: Whether published weights can fit its backbone.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If an argument has another form, a key is taken or invalid, or a file does not fit.

    Example:
        >>> read_own_inits(["coco=backbone.pth"], find_config("det/sniper_voc.py"))  # doctest: +SKIP
    """
    inits: list[OwnInit] = []
    for argument in arguments:
        key, _, rest = argument.partition("=")
        source, prefix, entry = split_source(rest)
        if not source:
            raise ValueError(f"--init {argument} is not of the form KEY=FILE, such as coco=backbone.pth.")
        if problem := key_problem(key, [other.key for other in inits]):
            raise ValueError(f"--init {argument}: {problem}")
        if "," in source:
            raise ValueError(
                f"--init {argument}: a comma in a path makes a list of it on mim's command line; rename it."
            )
        address = "://" in source and not source.startswith(_FETCHED)
        if address and (prefix is not None or entry is not None):
            raise ValueError(
                f"--init {argument}: an address takes no prefix and no entry. Take the backbone out of it first:\n"
                f"  {_export(source, prefix, entry)}\n  and give --init {key}=backbone.pth"
            )
        if not published and _PUBLISHED.match(source):
            raise ValueError(
                f"--init {argument} does not fit --model sample: its backbone is a ResNet-18 of quarter width, of"
                " which nobody has published weights. Use --model paper, or weights of a *_sample config."
            )
        if address:
            inits.append(OwnInit(key, _title(key, source), source, "an address; fetched and checked by the study"))
        else:
            inits.append(_from_file(argument, key, source, config, prefix, entry))
    return inits


def key_problem(key: str, taken: Collection[str]) -> str:
    """What is wrong with the key of an initialization; empty: nothing.

    Example:
        >>> key_problem("scratch", []), key_problem("coco", [])
        ('scratch is the one without weights, which every study has.', '')
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", key):
        return f"the key {key!r} is not of small letters, digits and underscores, such as coco."
    if key == SCRATCH:
        return "scratch is the one without weights, which every study has."
    return f"another initialization is called '{key}' already: give each a key of its own." if key in taken else ""


def split_source(text: str) -> tuple[str, str | None, str | None]:
    """File, prefix and entry of ``FILE``, ``FILE:prefix=P``, ``FILE:entry=E`` or ``FILE:prefix=P:entry=E``.

    A name may hold colons and equals signs, and one of a file that is there is never taken apart.

    Example:
        >>> split_source("runs/lr=0.1:a/last.pth:prefix=teacher.backbone:entry=state_dict")
        ('runs/lr=0.1:a/last.pth', 'teacher.backbone', 'state_dict')
    """
    found = re.fullmatch(r"(.+?)((?:[:,](?:prefix|entry)=[^:,=]*)+)", text)
    if found is None or Path(text).is_file():
        return text, None, None
    given = dict(part.split("=") for part in re.split("[:,]", found[2])[1:])
    return found[1], given.get("prefix"), given.get("entry")


def _export(source: str, prefix: str | None, entry: str | None) -> str:
    words = ["mmdetpre", "export", source, "backbone.pth"]
    words += [] if prefix is None else ["--prefix", prefix]
    words += [] if entry is None else ["--entry", entry]
    return shlex.join(words)


def _advice(key: str, source: str, entry: str | None, reasons: str) -> str:
    """How the argument says the prefix or entry that a message asks for."""
    found = re.search(r"(prefix|entry)='([^']+)'", reasons)
    if found is None:
        return ""
    kept = f":entry={entry}" if entry and found[1] == "prefix" else ""
    return f"\n  Here that is, for example: --init {shlex.quote(f'{key}={source}{kept}:{found[1]}={found[2]}')}"


def _from_file(
    argument: str, key: str, source: str, config: Path, prefix: str | None = None, entry: str | None = None
) -> OwnInit:
    named = source.startswith(_FETCHED)
    if not named and not Path(source).is_file():
        raise FileNotFoundError(f"--init {argument}: there is no file {source}.")
    try:
        checkpoint = read_checkpoint(source, entry)
        report, _ = inspect_into(checkpoint, config, prefix)
    except (CheckpointError, KeyMapError, OSError) as error:
        advice = _advice(key, source, entry, str(error))
        raise ValueError(f"--init {argument} does not fit: {error}{advice}") from error
    if not report.good:
        reasons = "\n".join(f"    {reason}" for reason in report.reasons)
        raise ValueError(
            f"--init {argument} does not fit the backbone of this --model, {report.target}"
            f"{f'; the file holds {report.source_description}' if report.source_description else ''}:\n{reasons}\n"
            "  Full report: mmdetpre inspect FILE --into CONFIG"
            f"{_advice(key, source, entry, reasons)}"
        )
    part = None if prefix is None and entry is None else (prefix, entry)
    detector, said = (None, "") if part else _detector(checkpoint, Path(source))
    found = f"{report.verdict}, {len(report.matched)} tensors{said}"
    return OwnInit(key, _title(key, source), source if named else os.path.abspath(source), found, detector, part)


def _title(key: str, source: str) -> str:
    """What the tables call an initialization: the user's key and file, and no data that the file may not be of."""
    named = next((source.removeprefix(start) for start in _FETCHED if source.startswith(start)), None)
    return f"{key} ({named or source.rsplit('/', 1)[-1]})"


def _detector(checkpoint: Checkpoint, source: Path) -> tuple[ConfigFile | None, str]:
    """A config of the detector in a checkpoint, if it has the layers of Table 7, and what to say of it.

    Of the config that the checkpoint carries, literal values are read and nothing is executed; what is built of them
    goes through `mmdetpre.inference.stored_model`.
    """
    stored = literal_config(checkpoint.config_text)
    if not isinstance(stored.get("model"), dict) or "roi_head" not in stored["model"]:
        return None, ""
    try:
        most = 4 * sum(tensor.nbytes for tensor in checkpoint.tensors.values()) + GIB
        built = build_stored_model(stored, source.name, most)
        open_feature_source(built, str(source), tuple(LAYERS))
    except Exception as error:  # a model of other code or of another version fails in any way
        return None, f"; a detector, but its layers cannot be probed: {(str(error) or repr(error)).splitlines()[0]}"
    config = ConfigFile(
        {"custom_imports": {"imports": ["mmdetpre"]}, **built.cfg.to_dict()},
        comments={"": "The detector of a checkpoint, by its own config: for the probes of its layers (Table 7)."},
    )
    return config, "; a whole detector"
