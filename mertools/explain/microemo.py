"""What MicroEmo adds to a branch (Zhang et al. 2024): local clues of the face, and utterance windows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from mertools.explain.batch import MediaInput
from mertools.explain.configuration import LocalAttention
from mertools.explain.qformer import DEVIATION

Reader = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""The image Q-Former on states (B, T, S, D) and their mask (B, T, S): (B, T, Q, width)."""


class LocalClues(nn.Module):
    """Local clue attention (§3.2): regions of the face attended to by themselves, read by the same image Q-Former, and
    joined to what that read of the whole frame.

    A region that is not seen is no token, and a frame without a face is what it was without this module.
    """

    def __init__(self, local: LocalAttention, width: int, read_width: int) -> None:
        """`width` is a patch's, `read_width` the image Q-Former's."""
        super().__init__()
        self.local = local
        self.queries = None
        if local.tokens == "region":
            self.queries = nn.Parameter(torch.empty(len(local.regions), width).normal_(std=DEVIATION))
        self.attention = nn.MultiheadAttention(width, local.heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.temporal = self.temporal_norm = None
        if local.temporal == "attention":
            self.temporal = nn.MultiheadAttention(width, local.heads, batch_first=True)
            self.temporal_norm = nn.LayerNorm(width)
        self.gate = self.join = None
        if local.fusion == "gate":
            self.gate = nn.Parameter(torch.zeros(()))
        else:
            self.join = nn.Linear(2 * read_width, read_width)
            with torch.no_grad():
                self.join.weight.copy_(torch.eye(read_width, 2 * read_width))
                self.join.bias.zero_()

    def forward(
        self, seen: torch.Tensor, patches: torch.Tensor, regions: torch.Tensor, mask: torch.Tensor, read: Reader
    ) -> torch.Tensor:
        """`seen` (B, T, Q, width), what was read of the frames, joined to what `read` makes of their local clues.

        `patches` (B, T, P, D), `regions` (B, T, R, P) and the frames' `mask` (B, T) are the batch's.
        """
        regions = regions & mask[..., None, None]
        tokens, there = self.attend(patches, regions)
        tokens, there = self._over_time(tokens, there)
        clues = read(tokens, there) * there.any(dim=2)[..., None, None]
        if self.gate is not None:
            return seen + torch.tanh(self.gate) * clues
        return self.join(torch.cat([seen, clues], dim=-1))

    def attend(self, patches: torch.Tensor, regions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Local tokens (B, T, S, D) and which of them are there (B, T, S); S counts regions or patches."""
        clips, frames = patches.shape[:2]
        if self.queries is not None:
            sees, there = regions, regions.any(dim=3)
            asking = self.queries.expand(clips * frames, -1, -1)
        else:
            # A patch sees the patches that share a region with it.
            shared = regions.to(patches.dtype)
            sees, there = (shared.transpose(2, 3) @ shared) > 0, regions.any(dim=2)
            asking = patches.flatten(0, 1)
        attended = masked_attention(self.attention, asking, patches.flatten(0, 1), sees.flatten(0, 1))
        tokens = self.norm(asking + attended).unflatten(0, (clips, frames))
        return tokens * there[..., None], there

    def _over_time(self, tokens: torch.Tensor, there: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same tokens, knowing of themselves in other frames."""
        if self.local.temporal == "motion":
            before = torch.cat([torch.zeros_like(tokens[:, :1]), tokens[:, :-1]], dim=1)
            was_there = torch.cat([torch.zeros_like(there[:, :1]), there[:, :-1]], dim=1)
            moved = there & was_there
            motion = (tokens - before) * moved[..., None]
            return torch.cat([tokens, motion], dim=2), torch.cat([there, moved], dim=2)
        if self.temporal is None:
            return tokens, there
        clips, frames, count = there.shape
        rows = tokens.transpose(1, 2).flatten(0, 1)  # (B * S, T, D)
        seen = there.transpose(1, 2).flatten(0, 1)  # (B * S, T)
        attended = masked_attention(self.temporal, rows, rows, seen[:, None].expand(-1, frames, -1))
        rows = self.temporal_norm(rows + attended).unflatten(0, (clips, count)).transpose(1, 2)
        return rows * there[..., None], there


def masked_attention(
    attention: nn.MultiheadAttention, queries: torch.Tensor, states: torch.Tensor, sees: torch.Tensor
) -> torch.Tensor:
    """Attention of `queries` (N, S, D) on `states` (N, P, D) where `sees` (N, S, P); zeros for who sees nothing."""
    blind = ~sees.any(dim=2, keepdim=True)
    # Who sees nothing looks at everything, so that the softmax is defined, and then forgets it.
    hidden = (~(sees | blind)).repeat_interleave(attention.num_heads, dim=0)
    output, _ = attention(queries, states, states, attn_mask=hidden, need_weights=False)
    return output.masked_fill(blind, 0)


def window_masks(media: MediaInput) -> torch.Tensor:
    """Which frames lie in which utterance window, (B, U, T) bool: those from its beginning to its end.

    A window between two frames has the frame nearest to its middle, so that no window is empty in a clip with frames.
    """
    begin, end = media.windows[..., :1], media.windows[..., 1:]  # (B, U, 1)
    times, there = media.times[:, None], media.mask[:, None]  # (B, 1, T)
    inside = (times >= begin) & (times <= end) & there
    distance = ((begin + end) / 2 - times).abs().masked_fill(~there, torch.inf)
    nearest = torch.zeros_like(inside).scatter(2, distance.argmin(dim=2, keepdim=True), True) & there
    return torch.where(inside.any(dim=2, keepdim=True), inside, nearest) & media.window_mask[..., None]
