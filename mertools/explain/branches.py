"""Branch: from the stored frames of one feature to tokens of the language model."""

from __future__ import annotations

import torch
from torch import nn

from mertools.errors import InputError
from mertools.explain.batch import MediaInput
from mertools.explain.configuration import Branch, PreFusion
from mertools.explain.microemo import LocalClues, window_masks
from mertools.explain.qformer import ConditionedQFormer, TextEmbeddings, TimeText, Tokens, visible


class MediaBranch(nn.Module):
    """Frames -> (patches read by an image Q-Former) -> frame positions -> connector -> the language model's width.

    AffectGPT §4 and Video-LLaMA (Zhang et al. 2023, §2) for the straight way; local attention and windows are
    MicroEmo's (§3.2, §3.3). Frames that are not there count for nothing; a clip without any gives tokens that say so,
    the same whatever it is batched with.
    """

    def __init__(self, branch: Branch, width: int) -> None:
        """`width` is the language model's."""
        super().__init__()
        self.branch = branch
        self.image_qformer = self.local_attention = None
        self.window_connector = None
        self.register_buffer("mean", torch.zeros(branch.width))
        self.register_buffer("deviation", torch.ones(branch.width))
        words = None
        if branch.timestamps:
            words = TextEmbeddings(branch.timestamps, branch.image_qformer.width)
            self._write = TimeText(branch.timestamps)
        if branch.image_qformer:
            self.image_qformer = ConditionedQFormer(branch.image_qformer, branch.width, words)
        if branch.local_attention:
            self.local_attention = LocalClues(branch.local_attention, branch.width, self.frame_width)
        self.positions = nn.Embedding(branch.positions, self.frame_width) if branch.positions else None
        if branch.connector == "qformer":
            windows = branch.windows
            own = windows is not None and windows.weights == "separate"
            window_words = words if windows is not None and windows.text else None
            self.connector = ConditionedQFormer(branch.qformer, self.frame_width, None if own else window_words)
            if own:
                self.window_connector = ConditionedQFormer(branch.qformer, self.frame_width, window_words)
        else:
            self.connector = AveragedFrames(branch.connector, self.frame_width, branch.tokens)
        self.projection = nn.Linear(branch.qformer.width if branch.connector == "qformer" else self.frame_width, width)

    @property
    def frame_width(self) -> int:
        """The width of what stands for a frame before the connector."""
        return self.branch.image_qformer.width if self.branch.image_qformer else self.branch.width

    def forward(self, media: MediaInput, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The clips' tokens (B, N, width), those of all frames first, and which of them are there (B, N) bool.

        `states` are what `frame_states` gives of `media`.
        """
        tokens = self.projection(self.connector(flat(states), spread(media.mask, states)))
        there = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        if self.branch.windows is None or media.windows is None:
            return tokens, there
        windows, window_there = self._window_tokens(media, states)
        return torch.cat([tokens, windows], dim=1), torch.cat([there, window_there], dim=1)

    def frame_states(self, media: MediaInput) -> torch.Tensor:
        """What stands for each frame, (B, T, K, D) with K tokens a frame.

        Raises InputError for frames of another shape, or more of them, than the branch was made for.
        """
        self._check(media.frames)
        frames = (media.frames.to(self.mean.dtype) - self.mean) / self.deviation
        if self.image_qformer is not None:
            frames = self._read_patches(media, frames)
        elif not self.branch.patches:
            frames = frames[:, :, None]
        if self.positions is not None:
            frames = frames + self.positions.weight[: frames.shape[1], None]
        return frames

    def _read_patches(self, media: MediaInput, patches: torch.Tensor) -> torch.Tensor:
        """(B, T, P, D) -> (B, T, Q, width): each frame's patches through the image Q-Former, beside its timestamp."""
        clips, frames = patches.shape[:2]
        text = None
        if self.branch.timestamps is not None:
            times = [{"seconds": at} for at in media.times.flatten().tolist()]
            text = self.write_times(times, patches.device)
        there = media.mask[..., None].expand(patches.shape[:3])
        seen = self.image_qformer(patches.flatten(0, 1), there.flatten(0, 1), text)
        seen = seen.unflatten(0, (clips, frames))
        if self.local_attention is None or media.regions is None:
            return seen

        def read(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.image_qformer(states.flatten(0, 1), mask.flatten(0, 1), text).unflatten(0, (clips, frames))

        return self.local_attention(seen, patches, media.regions, media.mask, read)

    def write_times(self, times: list[dict[str, float]], device: torch.device) -> Tokens:
        """The text beside the image Q-Former's queries, for frames at these times (`seconds`)."""
        return self._write(self.branch.timestamps.text, times, device)

    def _window_tokens(self, media: MediaInput, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens (B, U * Q, width) of each utterance window, all windows of all clips at once, and their mask."""
        clips, windows = media.windows.shape[:2]
        masks = window_masks(media)  # (B, U, T)
        repeated = states[:, None].expand(-1, windows, *states.shape[1:]).flatten(0, 1)  # (B * U, T, K, D)
        text = None
        if self.branch.windows.text:
            spans = [{"begin": begin, "end": end} for begin, end in media.windows.flatten(0, 1).tolist()]
            text = self._write(self.branch.windows.text, spans, states.device)
        connector = self.connector if self.window_connector is None else self.window_connector
        gathered = connector(flat(repeated), spread(masks.flatten(0, 1), repeated), text)
        tokens = self.projection(gathered).unflatten(0, (clips, windows)).flatten(1, 2)
        return tokens, media.window_mask.repeat_interleave(gathered.shape[1], dim=1)

    def standardise(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        """Read frames relative to the `mean` and `deviation` (D,) of the training frames; what never varies is 0."""
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(deviation > 0, deviation, torch.inf))

    def _check(self, frames: torch.Tensor) -> None:
        branch = self.branch
        branch.check_frames(branch.feature, tuple(frames.shape[2:]))
        if self.positions is not None and frames.shape[1] > branch.positions:
            raise InputError(
                f"{frames.shape[1]} frames of {branch.feature!r} are more than the {branch.positions} positions the "
                "explainer knows. Sample fewer."
            )


class AveragedFrames(nn.Module):
    """The connectors without a Q-Former: one vector of all frames, by attention or their mean, repeated."""

    def __init__(self, how: str, width: int, tokens: int) -> None:
        super().__init__()
        self.scores = nn.Linear(width, 1) if how == "attention" else None
        self.tokens = tokens

    def forward(self, states: torch.Tensor, mask: torch.Tensor, text: Tokens | None = None) -> torch.Tensor:
        """(B, S, D) -> (B, tokens, D); a row without any state gives zeros."""
        mask, states = visible(mask, states)
        scores = states.new_zeros(mask.shape) if self.scores is None else self.scores(states)[..., 0]
        weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=1)
        return (weights[..., None] * states).sum(dim=1, keepdim=True).expand(-1, self.tokens, -1)


class FusedMedia(nn.Module):
    """AffectGPT 2025's token of audio and video together, made before the language model.

    `attention` weighs the means of both over time by a linear layer on the two side by side; `qformer` reads both
    sequences one after the other.
    """

    def __init__(self, fusion: PreFusion, widths: tuple[int, ...], width: int) -> None:
        """`widths` are those of the branches' frames, `width` the language model's."""
        super().__init__()
        self.fusion = fusion
        common = max(widths)
        self.inputs = nn.ModuleList(nn.Linear(own, common) for own in widths)
        self.hidden = self.scores = self.qformer = self.positions = None
        if fusion.connector == "attention":
            self.hidden = nn.Linear(common * len(widths), common)
            self.scores = nn.Linear(common, len(widths))
        else:
            self.positions = nn.Embedding(fusion.positions, common)
            self.qformer = ConditionedQFormer(fusion.qformer, common)
        self.projection = nn.Linear(common if self.qformer is None else fusion.qformer.width, width)

    def forward(self, states: list[torch.Tensor], masks: list[torch.Tensor]) -> torch.Tensor:
        """Tokens (B, N, width) of the branches' frames (B, T, K, D) each, with their masks (B, T)."""
        rows = [flat(one) for one in states]
        there = [spread(mask, one) for mask, one in zip(masks, states, strict=True)]
        if self.qformer is not None:
            return self.projection(self._read(rows, there))
        weights_there = torch.stack([mask.any(dim=1) for mask in there], dim=1)  # (B, M)
        means = [layer(masked_mean(row, mask)) for layer, row, mask in zip(self.inputs, rows, there, strict=True)]
        stacked = torch.stack(means, dim=1) * weights_there[..., None]  # (B, M, D)
        scores = self.scores(self.hidden(stacked.flatten(1)))
        if self.fusion.weights == "softmax":
            scores = scores.masked_fill(~weights_there, torch.finfo(scores.dtype).min).softmax(dim=1)
        fused = (scores[..., None] * stacked).sum(dim=1)
        return self.projection(fused)[:, None].expand(-1, self.fusion.tokens, -1)

    def _read(self, rows: list[torch.Tensor], there: list[torch.Tensor]) -> torch.Tensor:
        joined = torch.cat([layer(row) for layer, row in zip(self.inputs, rows, strict=True)], dim=1)
        if joined.shape[1] > self.fusion.positions:
            raise InputError(
                f"Audio and video have {joined.shape[1]} tokens together, and pre_fusion knows {self.fusion.positions} "
                "positions. Raise pre_fusion.positions in the configuration, or sample fewer frames."
            )
        mask = torch.cat(there, dim=1)
        # Counted over what is there, so that padding between the media moves nothing.
        places = (mask.cumsum(dim=1) - 1).clamp(min=0)
        return self.qformer(joined + self.positions(places), mask)


def flat(states: torch.Tensor) -> torch.Tensor:
    """(B, T, K, D) -> (B, T * K, D)."""
    return states.flatten(1, 2)


def spread(mask: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """The frames' mask (B, T) for all K tokens of each, (B, T * K), of states (B, T, K, D)."""
    return mask.repeat_interleave(states.shape[2], dim=1)


def masked_mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(B, S, D) -> (B, D), over the states that are there; zeros where there is none."""
    return (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
