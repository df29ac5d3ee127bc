"""What the towers of a model need to know: its config.json in transformers' layout, with the
defaults of transformers' configuration classes for the values that it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from model_export.config_defaults import PROJECTION_DIM, TEXT, VISION

Family: TypeAlias = Literal["altclip", "chinese_clip", "clip", "metaclip_2", "siglip"]
Activation: TypeAlias = Literal["gelu", "gelu_pytorch_tanh", "quick_gelu"]
# Which token stands for the text: the first end token, the highest number, the last, the first.
TextPooling: TypeAlias = Literal["end", "highest", "last", "first"]

FAMILIES: tuple[Family, ...] = get_args(Family)
LEGACY_END = 2


class ConfigError(ValueError):
    """A value in config.json is wrong or not supported; the message is one line to read."""


@dataclass(frozen=True, slots=True)
class TowerConfig:
    """A stack of transformer layers. `norm_eps` is that of every LayerNorm in the tower."""

    width: int
    layers: int
    heads: int
    mlp_width: int
    activation: Activation
    norm_eps: float


@dataclass(frozen=True, slots=True)
class TextConfig(TowerConfig):
    """`positions` counts the rows of the position table, the first `skipped` of which no token
    uses. `end_id` is set where `pooling` is "end", `pad_id` where no token looks at padding.
    `types` of tokens are told apart. `projection`: AltCLIP's width between its two projections."""

    vocabulary: int
    positions: int
    skipped: int
    pooling: TextPooling
    end_id: int | None
    pad_id: int | None
    types: int = 0
    projection: int | None = None

    @property
    def context(self) -> int:
        """The most tokens a text may have."""
        return self.positions - self.skipped


@dataclass(frozen=True, slots=True)
class VisionConfig(TowerConfig):
    """Sizes in pixels. `probe`: attention pools the patches; otherwise a class token does."""

    image_size: int
    patch_size: int
    probe: bool

    @property
    def side(self) -> int:
        """Patches in a row and in a column; pixels beyond the last whole patch are not read."""
        return self.image_size // self.patch_size


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Both towers; `dim` is the length of their vectors."""

    family: Family
    text: TextConfig
    vision: VisionConfig
    dim: int


def parse_config(document: Mapping[str, Any]) -> ModelConfig:
    """Read the object in a config.json. ConfigError."""
    family = _family(document.get("model_type"))
    text_values = _tower_values(document, family, "text_config", TEXT[family])
    vision_values = _tower_values(document, family, "vision_config", VISION[family])
    text, vision = _text(text_values, family), _vision(vision_values, family)
    if family != "siglip":
        dim = _Values({"projection_dim": PROJECTION_DIM[family], **document}).count(
            "projection_dim"
        )
    elif text_values.get("projection_size") is None:
        dim = text.width
    else:
        dim = text_values.count("projection_size")
    if family == "siglip" and dim != vision.width:
        raise ConfigError(
            f"text vectors have {dim} values and image vectors {vision.width} "
            "(text_config.projection_size, vision_config.hidden_size); they must be equal"
        )
    return ModelConfig(family, text, vision, dim)


def _family(model_type: object) -> Family:
    if model_type == "siglip2":
        raise ConfigError(
            "model_type is 'siglip2' (NaFlex, pictures of any shape); only a fixed resolution is "
            "supported, such as that of google/siglip2-base-patch16-224"
        )
    if model_type not in FAMILIES:
        raise ConfigError(f"model_type is {model_type!r}; supported are {', '.join(FAMILIES)}")
    return model_type


def _text(values: _Values, family: Family) -> TextConfig:
    pooling: TextPooling = "first"
    end_id = pad_id = projection = None
    skipped = types = 0
    if family == "siglip":
        pooling = "last"
    elif family in ("clip", "metaclip_2"):
        end_id = values.count("eos_token_id", least=0)
        pooling = "end"
        # Before transformers 4.31 every CLIP's configuration said 2, whatever its tokenizer:
        # https://github.com/huggingface/transformers/pull/24773
        if family == "clip" and end_id == LEGACY_END:
            pooling, end_id = "highest", None
    else:
        pad_id, types = values.count("pad_token_id", least=0), values.count("type_vocab_size")
    if family == "altclip":
        assert pad_id is not None
        # RoBERTa counts positions from the number of the padding token on.
        skipped, projection = pad_id + 1, values.count("project_dim")
    return TextConfig(
        **values.tower(),
        vocabulary=values.count("vocab_size"),
        positions=values.count("max_position_embeddings", least=skipped + 1),
        skipped=skipped,
        pooling=pooling,
        end_id=end_id,
        pad_id=pad_id,
        types=types,
        projection=projection,
    )


def _vision(values: _Values, family: Family) -> VisionConfig:
    patch_size = values.count("patch_size")
    values.only("num_channels", 3)
    if family == "siglip":
        values.only("vision_use_head", True)
    return VisionConfig(
        **values.tower(),
        image_size=values.count("image_size", least=patch_size),
        patch_size=patch_size,
        probe=family == "siglip",
    )


def _tower_values(
    document: Mapping[str, Any], family: Family, name: str, defaults: Mapping[str, Any]
) -> _Values:
    """Until 2023 CLIPs had a second object, such as text_config_dict. transformers takes its
    values, its defaults for what is missing there, and nothing of text_config."""
    if family != "siglip" and document.get(f"{name}_dict") is not None:
        name = f"{name}_dict"
    found = document.get(name) or {}
    if not isinstance(found, Mapping):
        raise ConfigError(f"{name} is {found!r}; it must be an object")
    return _Values({**defaults, **found}, f"{name}.")


class _Values:
    """Values by their names in config.json; errors put `prefix` before the name. All methods
    but `get` raise ConfigError."""

    def __init__(self, values: Mapping[str, Any], prefix: str = "") -> None:
        self._values, self._prefix = values, prefix

    def get(self, key: str) -> Any:
        return self._values[key]

    def count(self, key: str, least: int = 1) -> int:
        """A whole number of at least `least`."""
        value = self._values[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._error(key, f"a whole number of at least {least}")
        return value

    def only(self, key: str, allowed: object) -> None:
        if self._values[key] != allowed:
            raise self._error(key, repr(allowed))

    def tower(self) -> dict[str, Any]:
        """The arguments of TowerConfig."""
        width, heads = self.count("hidden_size"), self.count("num_attention_heads")
        if width % heads:
            raise self._error("num_attention_heads", f"a divisor of hidden_size, which is {width}")
        activation, eps = self._values["hidden_act"], self._values["layer_norm_eps"]
        if activation not in get_args(Activation):
            raise self._error("hidden_act", f"one of {', '.join(get_args(Activation))}")
        if not isinstance(eps, float) or not 0 < eps < 1:
            raise self._error("layer_norm_eps", "a number between 0 and 1")
        return {
            "width": width,
            "layers": self.count("num_hidden_layers"),
            "heads": heads,
            "mlp_width": self.count("intermediate_size"),
            "activation": activation,
            "norm_eps": eps,
        }

    def _error(self, key: str, allowed: str) -> ConfigError:
        value = self._values[key]
        return ConfigError(f"{self._prefix}{key} is {value!r}; it must be {allowed}")
