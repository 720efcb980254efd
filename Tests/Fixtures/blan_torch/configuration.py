"""What fixes a BLAN, and how a model file's metadata says it."""

from __future__ import annotations

import json
from dataclasses import dataclass

ORDERS = ("channel-spatial", "spatial-channel", "parallel")
VARIANTS = (1, 2, 3, 4, 5, 6)

# fmt: off
CELEBA_ATTRIBUTES = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose",
    "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses",
    "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache",
    "Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks",
    "Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick",
    "Wearing_Necklace", "Wearing_Necktie", "Young",
)
# fmt: on


@dataclass(frozen=True)
class Configuration:
    """Everything that fixes names, shapes and outputs.

    Attributes:
        input_size: height and width of the input, a multiple of 32 from 64.
        width: channels of the first stage, a multiple of 4; 64 is the paper's and scales every other count.
        attributes: names, in the order of the outputs.
        attention: the order of RDAM's two attentions, one of `ORDERS`.
        variant: a row of the paper's Table 4, 1 to 6; 6 is the full BLAN.
    """

    input_size: int = 256
    width: int = 64
    attributes: tuple[str, ...] = CELEBA_ATTRIBUTES
    attention: str = "channel-spatial"
    variant: int = 6
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self):
        if self.attention not in ORDERS or self.variant not in VARIANTS:
            raise ValueError(f"no such network: {self.attention}, variant {self.variant}")

    has_lmim = property(lambda self: self.variant >= 2)
    has_decoder = property(lambda self: self.variant >= 3)
    has_attention = property(lambda self: self.variant >= 5)
    has_fusion = property(lambda self: self.variant == 6)

    def scaled(self, channels: int) -> int:
        """`channels` of the paper's network at this width."""
        return channels * self.width // 64

    def to_json(self, **more: object) -> str:
        """The text of `blan.config`."""
        names = ("input_size", "width", "attributes", "attention", "variant", "mean", "std")
        return json.dumps({name: getattr(self, name) for name in names} | more)

    @classmethod
    def from_json(cls, text: str) -> Configuration:
        """Reads `blan.config`; what it says of training and thresholds is no part of the network."""
        known = {key: value for key, value in json.loads(text).items() if key in cls.__dataclass_fields__}
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in known.items()})
