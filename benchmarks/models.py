"""The thirteen models of the speed benchmarks, and more, by name: `build("nasnetalarge")`.

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
DLA = {"dla34": ("dla34", 224)}
YOLO, RETINANET = "yolo_like", "retinanet"
DETECTOR_SIDE = 320  # of an image for the two detectors
WIDE_ZOO = (
    "inception_v4",
    "nasnetalarge",
    "pnasnet5large",
    "hrnet_w18_small",
    "res2net50",
    *DLA,
    YOLO,
    RETINANET,
    BERT,
)
"""What `benchmarks.zoo` looks at: searched cells, many resolutions, detectors, a transformer."""


def build(name: str) -> Built:
    """A model in eval mode and example inputs for one sample.

    Raises
    ------
    KeyError
        For a name that is neither in `NAMES` nor in `WIDE_ZOO`.
    """
    if name in TORCHVISION:
        return zoo.build(name)
    module: nn.Module
    if name == BERT:
        module = BertLike()
        inputs = (torch.randint(0, BertLike.WORDS, (1, BertLike.TOKENS), generator=_seeded()),)
    elif name in (YOLO, RETINANET):
        with zoo.SkipRandom():
            module = YoloLike() if name == YOLO else RetinaNet()
        side = DETECTOR_SIDE
        inputs = (torch.randn(1, 3, side, side, generator=_seeded()),)
    else:
        import timm

        timm_name, side = {**TIMM, **DLA}[name]
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


class YoloLike(nn.Module):
    """A detector in YOLO's manner: backbone, pyramid up and down again, a head on each of 3 scales.

    Returns raw predictions, as scale-wise maps: boxes and classes of 80 kinds. Choosing among them
    (non-maximum suppression) depends on data, so it is no part of any operator graph.
    """

    CLASSES, WIDTH = 80, 32

    def __init__(self) -> None:
        super().__init__()
        w = self.WIDTH
        self.stem = nn.Sequential(_conv(3, w, 3, 2), _conv(w, 2 * w, 3, 2), Split(2 * w, 1))
        self.small = nn.Sequential(_conv(2 * w, 4 * w, 3, 2), Split(4 * w, 2))
        self.middle = nn.Sequential(_conv(4 * w, 8 * w, 3, 2), Split(8 * w, 2))
        self.large = nn.Sequential(_conv(8 * w, 16 * w, 3, 2), Split(16 * w, 1), Pyramid(16 * w))
        self.up = nn.Upsample(scale_factor=2.0)
        self.middle_in, self.small_in = _conv(16 * w, 8 * w), _conv(8 * w, 4 * w)
        self.middle_up = nn.Sequential(_conv(16 * w, 8 * w), Split(8 * w, 1))
        self.small_up = nn.Sequential(_conv(8 * w, 4 * w), Split(4 * w, 1))
        self.to_middle, self.to_large = _conv(4 * w, 8 * w, 3, 2), _conv(8 * w, 16 * w, 3, 2)
        self.middle_down = nn.Sequential(_conv(16 * w, 8 * w), Split(8 * w, 1))
        self.large_down = nn.Sequential(_conv(32 * w, 16 * w), Split(16 * w, 1))
        self.heads = nn.ModuleList(Head(width * w, self.CLASSES) for width in (4, 8, 16))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Predictions at strides 8, 16 and 32."""
        small = self.small(self.stem(x))
        middle = self.middle(small)
        large = self.large(middle)
        middle = self.middle_up(torch.cat([self.up(self.middle_in(large)), middle], 1))
        small = self.small_up(torch.cat([self.up(self.small_in(middle)), small], 1))
        middle = self.middle_down(torch.cat([self.to_middle(small), middle], 1))
        large = self.large_down(torch.cat([self.to_large(middle), large], 1))
        scales = (small, middle, large)
        return [head(scale) for head, scale in zip(self.heads, scales, strict=True)]


def _conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, SiLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.SiLU(inplace=True))


class Split(nn.Module):
    """Half of the channels goes round some residual blocks (cross-stage partial connections)."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        half = width // 2
        self.through, self.around = _conv(width, half), _conv(width, half)
        self.blocks = nn.ModuleList(
            nn.Sequential(_conv(half, half), _conv(half, half, 3)) for _ in range(blocks)
        )
        self.out = _conv(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One stage."""
        around, through = self.around(x), self.through(x)
        for block in self.blocks:
            through = through + block(through)
        return self.out(torch.cat([through, around], 1))


class Pyramid(nn.Module):
    """The same map pooled once, twice and three times, side by side (spatial pyramid pooling)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow, self.out = _conv(width, width // 2), _conv(2 * width, width)
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """All four, mixed."""
        pooled = [self.narrow(x)]
        for _ in range(3):
            pooled.append(self.pool(pooled[-1]))
        return self.out(torch.cat(pooled, 1))


class Head(nn.Module):
    """Boxes and classes of one scale, by branches of their own."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.boxes = nn.Sequential(_conv(width, 64, 3), _conv(64, 64, 3), nn.Conv2d(64, 4, 1))
        self.kinds = nn.Sequential(
            _conv(width, classes, 3), _conv(classes, classes, 3), nn.Conv2d(classes, classes, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Four numbers of a box and a score of each class, at every place."""
        return torch.cat([self.boxes(x), torch.sigmoid(self.kinds(x))], 1)


class RetinaNet(nn.Module):
    """torchvision's RetinaNet without what depends on data: backbone, pyramid and heads."""

    def __init__(self) -> None:
        from torchvision.models.detection import retinanet_resnet50_fpn

        super().__init__()
        whole = retinanet_resnet50_fpn(weights=None, weights_backbone=None)
        self.backbone, self.head = whole.backbone, whole.head

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scores and box offsets of every anchor."""
        scales: dict[str, torch.Tensor] = self.backbone(x)
        predicted: dict[str, torch.Tensor] = self.head(list(scales.values()))
        return predicted
