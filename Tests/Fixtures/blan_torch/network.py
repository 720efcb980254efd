"""The network: module names make exactly the tensor names of libblan's weights file."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .configuration import Configuration


class BasicBlock(nn.Module):
    """ResNet's basic block with torchvision's names; a 1x1 projection where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + shortcut)


def stage(inputs: int, outputs: int, count: int, stride: int = 1) -> nn.Sequential:
    """`count` basic blocks; the first takes the stride and the change of channels."""
    blocks = [BasicBlock(inputs, outputs, stride)] + [BasicBlock(outputs, outputs) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


class Encoder(nn.Module):
    """ResNet-34 without average pool and fc. Pixels → F_enc_1..F_enc_4 at 1/4, 1/8, 1/16 and 1/32 of the size."""

    def __init__(self, configuration: Configuration):
        super().__init__()
        c1, c2, c3, c4 = (configuration.scaled(c) for c in (64, 128, 256, 512))
        self.conv1 = nn.Conv2d(3, c1, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(c1)
        self.layer1 = stage(c1, c1, 3)
        self.layer2 = stage(c1, c2, 4, stride=2)
        self.layer3 = stage(c2, c3, 6, stride=2)
        self.layer4 = stage(c3, c4, 3, stride=2)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        features = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            features.append(x)
        return features


class Decoder(nn.Module):
    """Mirrors encoder blocks 3 to 1, each followed by enlargement by two. F_enc_4 → F_dec_1..F_dec_3."""

    def __init__(self, configuration: Configuration):
        super().__init__()
        c1, c2, c3, c4 = (configuration.scaled(c) for c in (64, 128, 256, 512))
        self.block3 = stage(c4, c3, 6)
        self.block2 = stage(c3, c2, 4)
        self.block1 = stage(c2, c1, 3)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for block in (self.block3, self.block2, self.block1):
            x = F.interpolate(block(x), scale_factor=2, mode="nearest")
            features.append(x)
        return features[::-1]


class ChannelAttention(nn.Module):
    """The gate of Eq. 2, batch x C x 1 x 1: sigmoid(MLP(avgpool f) + MLP(maxpool f))."""

    def __init__(self, channels: int):
        super().__init__()
        hidden = max(channels // 16, 4)
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)

    def mlp(self, x: Tensor) -> Tensor:
        return self.fc2(F.relu(self.fc1(x)))

    def forward(self, f: Tensor) -> Tensor:
        logits = self.mlp(f.mean((2, 3))) + self.mlp(f.amax((2, 3)))
        return torch.sigmoid(logits)[:, :, None, None]


class RDAM(nn.Module):
    """Residual dual attention. F_enc_i, F_dec_i → F_attn_i and the spatial gate of Eq. 3, batch x 1 x H x W."""

    def __init__(self, channels: int, order: str):
        super().__init__()
        self.order = order
        self.conv = nn.Conv2d(2 * channels, channels, 3, 1, 1)
        self.channel = ChannelAttention(channels)
        self.spatial = nn.Conv2d(2, 1, 7, 1, 3, bias=False)

    def spatial_gate(self, f: Tensor) -> Tensor:
        return torch.sigmoid(self.spatial(torch.cat([f.mean(1, keepdim=True), f.amax(1, keepdim=True)], 1)))

    def forward(self, encoded: Tensor, decoded: Tensor) -> tuple[Tensor, Tensor]:
        f = self.conv(torch.cat([encoded, decoded], 1))
        if self.order == "channel-spatial":
            f = f * self.channel(f)
            gate = self.spatial_gate(f)
            f = f * gate
        elif self.order == "spatial-channel":
            gate = self.spatial_gate(f)
            f = f * gate
            f = f * self.channel(f)
        else:
            gate = self.spatial_gate(f)
            f = f * self.channel(f) * gate
        return f + encoded, gate


class AttributeClassifier(nn.Module):
    """AC_i of Table 2. Features → T_i and s_i (batch x N x 2; [..., 1] is "present")."""

    # kernel, stride, padding, channels after conv1, channels after conv2; at width 64
    TABLE = ((5, 4, 2, 32, 16), (3, 2, 1, 64, 16), (3, 2, 1, 128, 64), (3, 2, 1, 256, 256))

    def __init__(self, configuration: Configuration, level: int, inputs: int, side: int, dropout: float):
        super().__init__()
        kernel, stride, padding, hidden, outputs = self.TABLE[level]
        hidden, outputs = configuration.scaled(hidden), configuration.scaled(outputs)
        self.attributes = len(configuration.attributes)
        self.dropout = dropout
        self.conv1 = nn.Conv2d(inputs, hidden, kernel, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.conv2 = nn.Conv2d(hidden, outputs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        reduced = (side + 2 * padding - kernel) // stride + 1
        self.fc1 = nn.Linear(outputs * reduced * reduced, configuration.scaled(512))
        self.fc2 = nn.Linear(configuration.scaled(512), 2 * self.attributes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        embedding = self.fc1(x.flatten(1))
        scores = self.fc2(F.dropout(embedding, self.dropout, self.training))
        return embedding, scores.unflatten(1, (self.attributes, 2))


class ScoreFusion(nn.Module):
    """Eq. 6 before its softmax: z[j, c] = Σ_k W[k, j] · s_k[j, c]. Scores batch x (K+1) x N x 2 → batch x N x 2."""

    def __init__(self, levels: int, attributes: int):
        super().__init__()
        self.weight = nn.Parameter(torch.full((levels, attributes), 1 / levels))

    def forward(self, scores: Tensor) -> Tensor:
        return (self.weight[None, :, :, None] * scores).sum(1)


class Reconstruction(nn.Module):
    """F_dec_1 → an image like the normalised input; for training only."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, 3, 7, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=4, mode="nearest"))


class MutualInformation(nn.Module):
    """The concat-and-convolve discriminator of Deep InfoMax: features and embedding → batch x 1 x H x W logits."""

    def __init__(self, channels: int, embedding: int, hidden: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels + embedding, hidden, 1)
        self.conv2 = nn.Conv2d(hidden, hidden, 1)
        self.conv3 = nn.Conv2d(hidden, 1, 1)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        everywhere = embedding[:, :, None, None].expand(-1, -1, *features.shape[2:])
        x = torch.cat([features, everywhere], 1)
        return self.conv3(F.relu(self.conv2(F.relu(self.conv1(x)))))


class Outputs(NamedTuple):
    """Everything that a loss, a test or a caller may want of one forward pass."""

    probabilities: Tensor
    """batch x N, of "present"."""
    logits: Tensor
    """batch x N x 2: z of Eq. 6, or s_5 where the variant does not fuse."""
    scores: Tensor
    """batch x 5 x N x 2: s_1..s_4 and their sum."""
    embeddings: Tensor
    """batch x 4 x 8·width: T_1..T_4, before dropout."""
    gates: list[Tensor]
    """The spatial attention maps, batch x 1 x H x W, shallowest first; empty without attention."""
    encoded: list[Tensor]
    """F_enc_1..F_enc_4."""
    decoded: list[Tensor]
    """F_dec_1..F_dec_3; empty without a decoder."""
    features: list[Tensor]
    """What each classifier and each discriminator reads."""


class BLAN(nn.Module):
    """The whole network. `lmim` and `reconstruction` are there when `training_heads`; predictions never use them."""

    def __init__(self, configuration: Configuration, training_heads: bool = False, dropout: float = 0.5):
        super().__init__()
        self.configuration = configuration
        channels = [configuration.scaled(c) for c in (64, 128, 256, 512)]
        sides = [configuration.input_size // s for s in (4, 8, 16, 32)]
        self.encoder = Encoder(configuration)
        if configuration.has_decoder:
            self.decoder = Decoder(configuration)
        if configuration.has_attention:
            self.attention = nn.ModuleList(RDAM(c, configuration.attention) for c in channels[:3])
        read = [2 * c for c in channels[:3]] + channels[3:] if configuration.variant == 4 else channels
        self.classifiers = nn.ModuleList(
            AttributeClassifier(configuration, level, read[level], sides[level], dropout) for level in range(4)
        )
        if configuration.has_fusion:
            self.fusion = ScoreFusion(5, len(configuration.attributes))
        if training_heads and configuration.has_decoder:
            self.reconstruction = Reconstruction(channels[0])
        if training_heads and configuration.has_lmim:
            hidden = configuration.scaled(512)
            self.lmim = nn.ModuleList(MutualInformation(c, hidden, hidden) for c in read)
        self.initialise()

    def initialise(self) -> None:
        """He normal (fan-in) for convolutions and linear layers, zero biases; batch norms as torch makes them."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def features(self, encoded: list[Tensor], decoded: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """What the classifiers read, by variant, and the spatial gates."""
        if not self.configuration.has_decoder:
            return encoded, []
        if self.configuration.has_attention:
            pairs = [rdam(e, d) for rdam, e, d in zip(self.attention, encoded[:3], decoded, strict=True)]
            return [attended for attended, _ in pairs] + encoded[3:], [gate for _, gate in pairs]
        if self.configuration.variant == 4:
            return [torch.cat(pair, 1) for pair in zip(encoded[:3], decoded, strict=True)] + encoded[3:], []
        return decoded + encoded[3:], []

    def outputs(self, pixels: Tensor) -> Outputs:
        """Pixels are batch x 3 x S x S, normalised."""
        encoded = self.encoder(pixels)
        decoded = self.decoder(encoded[3]) if self.configuration.has_decoder else []
        features, gates = self.features(encoded, decoded)
        classified = [classifier(f) for classifier, f in zip(self.classifiers, features, strict=True)]
        scores = torch.stack([s for _, s in classified], 1)
        total = scores.sum(1)
        scores = torch.cat([scores, total[:, None]], 1)
        logits = self.fusion(scores) if self.configuration.has_fusion else total
        return Outputs(
            probabilities=logits.softmax(-1)[..., 1],
            logits=logits,
            scores=scores,
            embeddings=torch.stack([t for t, _ in classified], 1),
            gates=gates,
            encoded=encoded,
            decoded=decoded,
            features=features,
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Batch x N probabilities of "present"."""
        return self.outputs(pixels).probabilities
