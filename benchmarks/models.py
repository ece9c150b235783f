"""The thirteen models of the speed benchmarks, by name: `build("nasnetalarge")`.

Weights are random and never downloaded; they are drawn as the registry's own are, so that
signals neither die out (denormal numbers are slow) nor blow up (infinities compare as equal).
Batch norms keep mean 0 and variance 1: with the statistics of the example itself, Inception-v4
amplifies rounding so much that eager in float32 is 1e-3 away from itself in float64 (7e-7 so).
"""

from __future__ import annotations

import warnings

import torch
from torch import nn

from ramiel_core.model import zoo

Built = tuple[nn.Module, tuple[torch.Tensor, ...]]

TORCHVISION = (
    "squeezenet1_0",
    "googlenet",
    "resnet50",
    "densenet121",
    "inception_v3",
    "mobilenet_v3_small",
    "shufflenet_v2_x1_0",
)
TIMM = {  # timm's name and the side of the image that the model was published with
    "inception_v4": ("inception_v4", 299),
    "nasnetalarge": ("nasnetalarge", 331),
    "pnasnet5large": ("pnasnet5large", 331),
    "hrnet_w18_small": ("hrnet_w18_small", 224),
    "res2net50": ("res2net50_26w_4s", 224),
}
BERT = "bert_like"
NAMES = (*TORCHVISION, *TIMM, BERT)
BRANCHY = (
    "googlenet",
    "inception_v3",
    "inception_v4",
    "nasnetalarge",
    "pnasnet5large",
    "hrnet_w18_small",
    "res2net50",
)
"""Whose graphs have wide sections: where task parallelism is expected to pay."""


def build(name: str) -> Built:
    """A model in eval mode and example inputs for one sample.

    Raises
    ------
    KeyError
        For a name that is not in `NAMES`.
    """
    if name in TORCHVISION:
        return zoo.build(name)
    if name == BERT:
        module: nn.Module = BertLike()
        inputs = (torch.randint(0, BertLike.WORDS, (1, BertLike.TOKENS), generator=_seeded()),)
    else:
        import timm

        timm_name, side = TIMM[name]
        with warnings.catch_warnings(), zoo.SkipRandom():
            warnings.simplefilter("ignore")  # timm's notes on names that it changed
            module = timm.create_model(timm_name, pretrained=False)
        inputs = (torch.randn(1, 3, side, side, generator=_seeded()),)
    zoo.draw_weights(module)
    return module.eval(), inputs


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(zoo.SEED)


class BertLike(nn.Module):
    """An encoder as BERT's: 6 layers, 384 wide, 12 heads, 64 tokens, integer ids in.

    Written out rather than `nn.TransformerEncoder`, whose fast path is one operator a layer,
    which neither tracer nor exporter can look into.
    """

    WORDS, TOKENS, WIDTH, LAYERS = 30522, 64, 384, 6

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(self.WORDS, self.WIDTH)
        self.positions = nn.Parameter(torch.zeros(1, self.TOKENS, self.WIDTH))
        self.norm = nn.LayerNorm(self.WIDTH)
        self.layers = nn.ModuleList(EncoderLayer(self.WIDTH, 12) for _ in range(self.LAYERS))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Hidden states, of word ids."""
        x = self.norm(self.words(ids) + self.positions)
        for layer in self.layers:
            x = layer(x)
        return x


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward part, each with a residual and a norm after it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.per_head = heads, width // heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.norm_attention = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One layer."""
        query, key, value = (self._split(part(x)) for part in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) / self.per_head**0.5
        mixed = torch.softmax(scores, -1) @ value
        x = self.norm_attention(x + self.out(mixed.transpose(1, 2).flatten(2)))
        return self.norm(x + self.narrow(nn.functional.gelu(self.wide(x))))

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, self.per_head)).transpose(1, 2)
