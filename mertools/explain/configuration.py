"""What an explainer is made of and how it is trained: frozen values, read from and written to YAML.

A configuration is told by what the papers call things. Whatever a paper leaves open is a key here with a default;
`docs/choices.md` lists them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from mertools.errors import InputError
from mertools.registry import hint, look_up

T = TypeVar("T")

SHIPPED = resources.files("mertools.explain") / "configurations"

AUDIO, VIDEO, MULTI = "audio", "video", "multi"
MEDIA = (AUDIO, VIDEO, MULTI)
"""What a prompt can have tokens of: the two branches and what is fused of them before the language model."""


REGIONS = ("left brow", "right brow", "left eye", "right eye", "nose", "lips", "face", "forehead")
"""Parts of a face that a local clue can be of; left and right are the person's."""

CANONICAL = "canonical"
"""Instead of landmarks: where a face has its parts in a crop of it."""


@dataclass(frozen=True)
class QFormer:
    """A Q-Former's shape: `queries` learned tokens that read others by cross-attention (BLIP-2, Li et al. 2023).

    The defaults are the video Q-Former of Video-LLaMA and AffectGPT; BERT-base is 12 layers that cross-attend in every
    second one.
    """

    queries: int = 32
    layers: int = 2
    width: int = 768
    heads: int = 12
    feed_forward: int = 3072
    cross_attention_every: int = 1
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise InputError(f"A Q-Former of width {self.width} cannot have {self.heads} heads. Choose a divisor.")


@dataclass(frozen=True)
class Timestamps:
    """The time of a frame as text beside a Q-Former's queries (MicroEmo §3.2).

    `text` is filled with `seconds`. `tokenizer` is a model source, or `bytes` where the Q-Former starts from random
    weights and needs no tokenizer of another model. `vocabulary` counts its tokens, with those added to it; `first` is
    a token before every text.
    """

    text: str = "This frame is sampled at {seconds:.1f}s."
    tokenizer: str = "hf:google-bert/bert-base-uncased"
    vocabulary: int = 30523
    positions: int = 512
    first: str = "[DEC]"


@dataclass(frozen=True)
class LocalAttention:
    """MicroEmo's local clue attention (§3.2): parts of a face, each by itself.

    `tokens`: one a `region`, from a learned query that sees the patches of its region alone, or one a `patch`, that
    sees the patches of the regions it lies in. `temporal` lets a region look at itself in other frames (`attention`),
    adds its difference to the frame before as a token (`motion`), or neither. `fusion` joins the image Q-Former's view
    of local tokens to that of the frame: `gate` adds it times tanh of a learned number that starts at 0, `linear` is a
    linear layer of both that starts as the frame's alone.

    `landmarks` is a file of `mertools explain landmarks`, or `canonical` where frames are crops of faces. A patch is of
    a region that covers `overlap` of it (the most covered one of a small region), or is at most `dilation` patches away
    from one that is. A frame without a
    face borrows the regions of the nearest one with, at most `nearest_frames` away.
    """

    regions: tuple[str, ...] = REGIONS
    tokens: Literal["region", "patch"] = "region"
    heads: int = 16
    temporal: Literal["attention", "motion", "none"] = "attention"
    fusion: Literal["gate", "linear"] = "gate"
    landmarks: str = "landmarks.h5"
    overlap: float = 0.1
    dilation: int = 1
    nearest_frames: int = 2

    def __post_init__(self) -> None:
        for region in self.regions:
            look_up("region of the face", region, dict.fromkeys(REGIONS))


@dataclass(frozen=True)
class Windows:
    """MicroEmo's utterance windows (§3.3): the video Q-Former on the frames of each utterance, beside all frames.

    `at_most` of a clip's utterances are kept, the longest. `weights` says whether windows have a Q-Former of their own.
    `text` stands beside the queries, written in the words of the image Q-Former; "" for none.
    """

    at_most: int = 4
    weights: Literal["shared", "separate"] = "shared"
    text: str = "This utterance spans {begin:.1f}s to {end:.1f}s."


@dataclass(frozen=True)
class Branch:
    """From the stored frames of one feature to tokens of the language model.

    `feature` is the feature's name, `width` the length of a frame's vector or of one of its `patches` (0: a frame is
    one vector). `scale` says whether each number of it is standardised over the training frames first. `frames` are
    sampled evenly in time: one of each stretch (`pick`) or its mean (`mean`). `image_qformer` reads the patches of each
    frame, with its time beside where `timestamps` says so. `positions` is how many learned frame positions there are,
    0 for none. `connector` turns the clip's frames into tokens: a `qformer`, or one vector by `attention` or `mean`,
    repeated `tokens` times. `frozen` are parts that no stage trains.
    """

    feature: str
    width: int
    frames: int = 8
    sampling: Literal["pick", "mean"] = "pick"
    patches: int = 0
    scale: Literal["none", "standardise"] = "none"
    image_qformer: QFormer | None = None
    timestamps: Timestamps | None = None
    local_attention: LocalAttention | None = None
    positions: int = 32
    connector: Literal["qformer", "attention", "mean"] = "qformer"
    qformer: QFormer = QFormer()
    windows: Windows | None = None
    tokens: int = 1
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        needs = {
            "image_qformer": (self.image_qformer, self.patches, "patches"),
            "timestamps": (self.timestamps, self.image_qformer, "image_qformer"),
            "local_attention": (self.local_attention, self.image_qformer, "image_qformer"),
            "windows": (self.windows, self.connector == "qformer", "connector: qformer"),
        }
        for key, (wanted, there, need) in needs.items():
            if wanted is not None and not there:
                raise InputError(f"Branch of {self.feature!r}: {key} needs {need}.")
        if self.windows and self.windows.text:
            width = self.image_qformer.width if self.image_qformer else None
            if not self.timestamps or width != self.qformer.width:
                raise InputError(
                    f"Branch of {self.feature!r}: windows.text is written in the words of the image Q-Former. Give the "
                    "branch timestamps and both Q-Formers one width, or set windows.text to ''."
                )
        if self.positions and self.positions < self.frames:
            raise InputError(
                f"Branch of {self.feature!r}: {self.frames} frames need as many positions, not {self.positions}."
            )

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """The shape of a stored frame."""
        return (self.patches, self.width) if self.patches else (self.width,)

    def check_frames(self, feature: str, frame_shape: tuple[int, ...]) -> None:
        """Refuse frames of another encoder than the branch was made for.

        Raises InputError where `feature`, the stored feature's name, or the shape of a frame of it differs.
        """
        if (feature, frame_shape) != (self.feature, self.frame_shape):
            raise InputError(
                f"Got frames of {feature!r} of shape {frame_shape}, and the explainer was made for {self.feature!r} of "
                f"shape {self.frame_shape}. Give it the frames of its own encoder: "
                f"python extract.py --feature {self.feature} --level frame"
            )

    @property
    def tokens_a_view(self) -> int:
        """How many tokens the language model gets of all frames, and again of each window."""
        return self.qformer.queries if self.connector == "qformer" else self.tokens

    def token_count(self, windows: int = 0) -> int:
        """How many tokens the language model gets of a clip with so many utterance windows."""
        return self.tokens_a_view * (1 + (min(windows, self.windows.at_most) if self.windows else 0))


@dataclass(frozen=True)
class PreFusion:
    """Audio and video fused before the language model (AffectGPT 2025): by `attention` over the two, or a Q-Former.

    `weights` of the attention sum to one (`softmax`) or are free numbers, as in the released code (`linear`).
    """

    connector: Literal["attention", "qformer"] = "attention"
    weights: Literal["softmax", "linear"] = "softmax"
    tokens: int = 1
    qformer: QFormer = QFormer(queries=1)
    positions: int = 264


@dataclass(frozen=True)
class Prompt:
    """What the language model reads before it answers.

    `text` has the places {audio}, {video}, {multi}, {subtitle} and {question}. Style `plain` is the text itself, which
    `end` closes after the answer; `chat` makes it the user's turn in the tokenizer's own chat template, which says what
    closes an answer. `max_length` counts the tokens of prompt and answer.
    """

    text: str
    question: str = "From what clues can we infer the person's emotional state?"
    style: Literal["plain", "chat"] = "plain"
    end: str = "###"
    system: str = ""
    max_length: int = 512


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters on a frozen language model (Hu et al. 2021)."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class LanguageModelChoice:
    """Which language model answers.

    `source` is a folder of transformers' layout or one GGUF file; `shape` is its configuration in transformers' words,
    by which parameters are counted without weights and against which loaded weights are checked.
    """

    source: str
    shape: Mapping[str, Any]
    sha256: str = ""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    lora: Lora | None = None


@dataclass(frozen=True)
class DataSet:
    """One set of instructions: a file, what kind it is, and how often it is drawn from beside the others.

    `kind` is our own (`explanations`, a file of `mertools ov build`; `manifest`, the column `description` of a
    manifest) or that of a published set of pictures or videos. `split` is whose clips of our own are read, several
    joined by `+`. `features` is the folder of the clips' frames, "" for the command's. Clips shorter than `min_seconds`
    are left out.
    """

    path: str
    kind: Literal["explanations", "manifest", "llava", "minigpt4", "videochat"] = "explanations"
    split: str = "train"
    language: Literal["en", "zh"] = "en"
    weight: float = 1.0
    features: str = ""
    min_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise InputError(f"{self.path}: a set drawn with weight {self.weight:g} is never seen. Leave it out.")

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits whose clips are read."""
        return tuple(self.split.split("+"))


@dataclass(frozen=True)
class Validation:
    """What is looked at before training and after every epoch: the loss on `data`, and the set-level scores of labels
    in what is generated for its clips where `generate` says so.

    `select` says which epoch's weights a stage ends with: the `last`, that of the lowest `loss`, or of the highest
    `avg` of set-level accuracy and recall.
    """

    data: DataSet
    select: Literal["last", "loss", "avg"] = "last"
    generate: bool = True
    max_new_tokens: int = 300

    def __post_init__(self) -> None:
        if self.select == "avg" and not self.generate:
            raise InputError("validation: select: avg needs what generate: false leaves out.")


@dataclass(frozen=True)
class Stage:
    """One stage of training: on what, how long, how fast, and what stays as it is.

    A step is `accumulation` batches of `batch_size` on every device. The learning rate rises linearly from
    `warmup_learning_rate` in `warmup_steps` steps and falls along a cosine to `min_learning_rate`. Gradients longer
    than `max_gradient_norm` are shortened to it. `frozen` names parts beside those that the branches freeze.
    """

    name: str
    data: tuple[DataSet, ...]
    epochs: int = 100
    steps_an_epoch: int = 1000
    batch_size: int = 3
    accumulation: int = 1
    learning_rate: float = 3e-5
    min_learning_rate: float = 1e-5
    warmup_learning_rate: float = 1e-6
    warmup_steps: int = 1000
    weight_decay: float = 0.05
    max_gradient_norm: float = 1.0
    frozen: tuple[str, ...] = ()
    validation: Validation | None = None

    def __post_init__(self) -> None:
        counts = ("epochs", "steps_an_epoch", "batch_size", "accumulation")
        if wrong := [key for key in counts if getattr(self, key) < 1]:
            raise InputError(f"Stage {self.name!r}: {wrong[0]} is {getattr(self, wrong[0])}, wanted at least 1.")
        if not self.data:
            raise InputError(f"Stage {self.name!r} has no data. Name a set, or leave the stage out.")

    @property
    def steps(self) -> int:
        """How many steps the stage has."""
        return self.epochs * self.steps_an_epoch


@dataclass(frozen=True)
class Configuration:
    """An explainer and its training, which starts from `initial_weights` where any are named: files of
    `mertools explain convert`, of which later ones count, and random weights for what they lack.
    """

    language_model: LanguageModelChoice
    prompt: Prompt
    audio: Branch | None = None
    video: Branch | None = None
    pre_fusion: PreFusion | None = None
    stages: tuple[Stage, ...] = ()
    initial_weights: tuple[str, ...] = ()
    seed: int = 42

    def __post_init__(self) -> None:
        if not self.branches:
            raise InputError("An explainer without audio and video has nothing to explain. Give it a branch.")
        names = [stage.name for stage in self.stages]
        if repeated := [name for name in names if names.count(name) > 1]:
            raise InputError(f"Two stages are called {repeated[0]!r}. Call one of them otherwise.")
        if self.pre_fusion and len(self.branches) < 2:
            raise InputError("pre_fusion joins audio and video: give the explainer both branches, or leave it out.")

    @property
    def branches(self) -> dict[str, Branch]:
        """The branches there are, by medium."""
        return {name: branch for name, branch in ((AUDIO, self.audio), (VIDEO, self.video)) if branch is not None}

    def token_counts(self, windows: int = 0) -> dict[str, int]:
        """How many tokens of each medium a prompt holds, for a clip with so many utterance windows."""
        counts = {name: branch.token_count(windows) for name, branch in self.branches.items()}
        if self.pre_fusion:
            fused = self.pre_fusion
            counts[MULTI] = fused.qformer.queries if fused.connector == "qformer" else fused.tokens
        return counts


def shipped() -> list[str]:
    """The names of the configurations that come with the package."""
    return sorted(entry.name.removesuffix(".yaml") for entry in SHIPPED.iterdir() if entry.name.endswith(".yaml"))


def read_configuration(name: str) -> Configuration:
    """The configuration called `name`: a shipped one's name, or the path of a YAML file.

    Raises InputError for a name that is neither, for what is no YAML, and for unknown, missing or ill-typed keys.
    """
    import yaml

    if name in shipped():
        text = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
    elif Path(name).is_file():
        text = Path(name).read_text(encoding="utf-8")
    else:
        raise InputError(f"There is no configuration {name!r}: no file, and none of ours. {hint(name, shipped())}")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{name} is no YAML: {' '.join(str(error).split())}") from error
    return from_mapping(Configuration, content, name)


def as_yaml(configuration: Configuration) -> str:
    """Every key of `configuration`, defaults too, as YAML that `read_configuration` gives back."""
    import yaml

    return yaml.safe_dump(to_mapping(configuration), sort_keys=False, allow_unicode=True, width=120)


def to_mapping(value: Any) -> Any:
    """A configuration, or a part of one, as plain mappings, lists and scalars."""
    if dataclasses.is_dataclass(value):
        return {one.name: to_mapping(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_mapping(item) for key, item in value.items()}
    return [to_mapping(item) for item in value] if isinstance(value, tuple | list) else value


def from_mapping(kind: type[T], content: Any, where: str) -> T:
    """The value of dataclass `kind` that `content`, as read from YAML at `where`, describes.

    Raises InputError, with the key, for unknown, missing and ill-typed ones.
    """
    if not isinstance(content, Mapping):
        raise InputError(f"{where}: got {content!r}, wanted keys and values: {', '.join(_names(kind))}.")
    if unknown := [key for key in content if key not in _names(kind)]:
        raise InputError(f"{where}: unknown key {unknown[0]!r}. {hint(str(unknown[0]), _names(kind))}")
    required = [
        one.name
        for one in dataclasses.fields(kind)
        if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
    ]
    if missing := [key for key in required if key not in content]:
        raise InputError(f"{where}: lacks the key {missing[0]!r}.")
    types = get_type_hints(kind)
    values = {key: _value(types[key], value, f"{where}, {key}") for key, value in content.items()}
    return kind(**values)


def _names(kind: type) -> list[str]:
    return [one.name for one in dataclasses.fields(kind)]


def _value(kind: Any, value: Any, where: str) -> Any:
    """`value` as a field of type `kind` holds it."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType or NoneType in arguments:
        if value is None:
            return None
        (kind,) = (argument for argument in arguments if argument is not NoneType)
        return _value(kind, value, where)
    if dataclasses.is_dataclass(kind):
        return from_mapping(kind, value, where)
    if origin is Literal:
        if value not in arguments:
            raise InputError(f"{where}: unknown value {value!r}. {hint(str(value), arguments)}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise InputError(f"{where}: got {value!r}, wanted a list.")
        return tuple(_value(arguments[0], item, f"{where}[{number}]") for number, item in enumerate(value))
    if origin is not None:
        kind = origin
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{where}: got {value!r}, wanted {_called(kind)}.")
    return value


def _called(kind: type) -> str:
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return names.get(kind, "keys and values")
