"""What the server is told: flags go before the environment, that before a file, that before
defaults."""

from __future__ import annotations

import difflib
import ipaddress
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from ..errors import RecipeError
from ..settings import Section, read_mapping, validate

PREFIX = "HARMGAUGE_"
"""before the name of a setting in capitals, in the environment"""
_SECRET = "api_keys"
_MASK = "not shown"  # no key, so that a file of what was shown does not let that in


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def cost_or_name(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _cost_or_name(value: Any) -> Any:
    value = value if isinstance(value, bool) else cost_or_name(value)
    finite = isinstance(value, float) and math.isfinite(value)
    if not (finite or value is None or (isinstance(value, str) and value)):
        raise ValueError("give a cost, such as 1.5, or the name of a stored threshold")
    return value


def _matching(pattern: str, told: str) -> AfterValidator:
    """Has a text match, and tells what it must be where it does not, and never the text."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(told)
        return text

    return AfterValidator(check)


Threshold = Annotated[float | str | None, BeforeValidator(_cost_or_name)]
Key = Annotated[
    str,
    _matching(r"[\x21-\x2b\x2d-\x7e]+", "a key is of printable ASCII, without spaces and commas"),
]
Keys = Annotated[tuple[Key, ...], BeforeValidator(_split)]
Name = Annotated[
    str, _matching(r"\*|[\w.-]+", "a host is a name such as gauge.example, without scheme or port")
]
Names = Annotated[tuple[Name, ...], BeforeValidator(_split)]
Origin = Annotated[
    str,
    _matching(
        r"\*|https?://[^/\s]+", "an origin is such as https://app.example, with nothing behind it"
    ),
]
Origins = Annotated[tuple[Origin, ...], BeforeValidator(_split)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(Section):
    """Settings of `harmgauge serve`."""

    gauge: str | None = None
    """name of an installed gauge, or folder of a bundle; the embedded `mini` by default"""
    prior: float | None = None
    """share of unsafe texts where the server is used; shifts every cost"""
    threads: Count | None = None
    """CPU threads of one batch; all physical cores by default"""
    threshold: Threshold = None
    """unsafe from this cost on, or the name of a stored threshold; 0 by default"""
    policy: Path | None = None
    """policy file: thresholds of categories, texts that are allowed"""
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """address to listen on"""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """port to listen on; 0 takes a free one"""
    api_keys: Keys = ()
    """keys that clients may give; not a flag, since others can see the flags of a process"""
    api_keys_file: Path | None = None
    """file with more keys, one a line"""
    allow_no_keys: bool = False
    """listen on an address that others reach, without keys"""
    allowed_hosts: Names = ()
    """names that the Host header may have, besides localhost and IP addresses; `*` is any"""
    cors_origins: Origins = ()
    """web origins whose pages may call the server"""
    max_body_bytes: Count = 1 << 20
    """most bytes of a request's body"""
    max_exchanges: Count = 256
    """most exchanges of a request"""
    max_characters: Count = 100_000
    """most characters of an exchange, all its messages together"""
    max_requests: Count = 256
    """most requests in work at a time"""
    batch_size: Count = 64
    """most exchanges that are judged at a time"""
    batch_wait_ms: Annotated[float, Field(ge=0)] = 2.0
    """how long a batch that is not full waits for more, in milliseconds"""
    queue_size: Count = 1024
    """most exchanges that wait for a batch"""
    read_timeout_s: Seconds = 10.0
    """how long a client may take to send its headers, and then its body"""
    request_timeout_s: Seconds = 30.0
    """how long an answer may take from when its request was read"""
    shutdown_timeout_s: Seconds = 30.0
    """how long what was accepted may take to finish once the server is told to stop"""

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches the address."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def all_keys(self) -> tuple[str, ...]:
        """Keys as given and those of the file.

        Raises:
            RecipeError: the file cannot be read, or a line of it is no key.
        """
        if self.api_keys_file is None:
            return self.api_keys
        try:
            lines = self.api_keys_file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError):
            raise RecipeError(f"cannot read api_keys_file {self.api_keys_file}") from None
        keys = [line.strip() for line in lines if line.strip()]
        if not keys:
            raise RecipeError(f"api_keys_file {self.api_keys_file} holds no key")
        # Words of a comment would be keys that let anybody in.
        return self.api_keys + _layer({"api_keys": keys}, str(self.api_keys_file)).api_keys

    def check(self) -> None:
        """Look for settings that do not go together.

        Raises:
            RecipeError: there are some.
        """
        if not (self.loopback or self.allow_no_keys or self.all_keys()):
            raise RecipeError(
                f"{self.host} can be reached from other machines: give API keys "
                f"({PREFIX}API_KEYS or --api-keys-file), or --allow-no-keys"
            )
        if self.max_exchanges > self.queue_size:
            raise RecipeError(
                f"max_exchanges is {self.max_exchanges}, and a queue_size of {self.queue_size} "
                "never holds so many; raise it"
            )


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings, and where each of them was said."""

    settings: Settings
    sources: Mapping[str, str]

    def to_yaml(self) -> str:
        """All of it, with keys masked; can be read as a file of settings but for them."""
        values = self.settings.model_dump(mode="json")
        values[_SECRET] = [_MASK] * len(values[_SECRET])
        return "".join(
            f"{name}: {json.dumps(value, ensure_ascii=False)}  # {self.sources[name]}\n"
            for name, value in values.items()
        )


def resolve(
    flags: Mapping[str, Any], config: Path | None, environment: Mapping[str, str]
) -> Resolved:
    """Settings out of all places where they may be said.

    Args:
        flags: by name of the setting; None and empty are not given.
        config: YAML file; None is that of HARMGAUGE_CONFIG, if any.
        environment: such as `os.environ`; an empty value is not given.

    Raises:
        RecipeError: a setting is unknown or ill-valued, or some do not go together.
    """
    if config is None and environment.get(f"{PREFIX}CONFIG"):
        config = Path(environment[f"{PREFIX}CONFIG"])
    layers: dict[str, Mapping[Any, Any]] = {}
    if config is not None:
        layers[str(config)] = read_mapping(config, "settings", "docs/serve.md")
    said = {name: environment.get(PREFIX + name.upper()) for name in Settings.model_fields}
    _check_names(environment)
    layers["environment"] = {name: value for name, value in said.items() if value}
    layers["command line"] = {
        name: value for name, value in flags.items() if value is not None and value != ()
    }

    values: dict[str, Any] = {}
    sources = dict.fromkeys(Settings.model_fields, "default")
    for where, layer in layers.items():
        _layer(layer, where)
        values |= layer
        sources |= dict.fromkeys(layer, where)
    settings = _layer(values, "settings")
    settings.check()
    return Resolved(settings, sources)


def _check_names(environment: Mapping[str, str]) -> None:
    """Variables that are nearly a setting; of others, the prefix may be somebody else's.

    Raises:
        RecipeError: there is one.
    """
    for name in environment:
        setting = name.removeprefix(PREFIX).lower()
        if not name.startswith(PREFIX) or setting in Settings.model_fields:
            continue
        if near := difflib.get_close_matches(setting, Settings.model_fields, n=1, cutoff=0.8):
            raise RecipeError(f"{name} is no setting; did you mean {PREFIX}{near[0].upper()}?")


def _layer(values: Mapping[Any, Any], where: str) -> Settings:
    return validate(Settings, dict(values), where)
