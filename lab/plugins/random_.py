"""The stand-in for Pulumi's `random` plugin: values from the operating system's random source, kept in the state."""

from __future__ import annotations

import base64
import secrets
from typing import Any, Final

from .base import UNKNOWN, Call, Failure, Properties, Provider, Resource, State, serve

_UPPER: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = "0123456789"
_SPECIAL: Final = "!@#$%&*()-_=+[]{}<>:?"
_BCRYPT_ROUNDS: Final = 10
_BCRYPT_MAX_BYTES: Final = 72

_CLASSES: Final = {"upper": "minUpper", "lower": "minLower", "numeric": "minNumeric", "special": "minSpecial"}
"""The switch of each character class and the least number of its characters."""


def _known(inputs: Properties, *names: str) -> bool:
    return all(inputs.get(name) is not UNKNOWN for name in names)


class _Kept(Resource):
    """A value that stays until an input changes, which replaces it; nothing exists outside the state."""

    replaces_on = "all"

    async def delete(self, call: Call, old: State) -> None:
        """Forgets the value with the state."""


class RandomString(_Kept):
    """A random string. Every change replaces it."""

    type = "random:index/randomString:RandomString"
    inputs = frozenset({"keepers", "length", "number", "overrideSpecial", *_CLASSES, *_CLASSES.values()})
    required = frozenset({"length"})
    computed = frozenset({"result", "number", *_CLASSES, *_CLASSES.values()})

    def check(self, inputs: Properties, old_inputs: Properties) -> tuple[Properties, list[Failure]]:
        """Refuses what no string can satisfy."""
        checked, failures = super().check(inputs, old_inputs)
        if failures or not _known(checked, "length", "number", "overrideSpecial", *_CLASSES, *_CLASSES.values()):
            return checked, failures
        settings = self.settled(checked)
        least = sum(settings[minimum] for minimum in _CLASSES.values())
        if checked["length"] < 1:
            failures.append(Failure("length", "Attribute length value must be at least 1"))
        elif least > checked["length"]:
            failures.append(Failure("length", f"length must be at least {least}, the sum of minUpper, minLower, minNumeric and minSpecial"))
        if not any(settings[name] for name in _CLASSES):
            failures.append(Failure("", "at least one of upper, lower, numeric and special must be true"))
        if "number" in checked and "numeric" in checked and checked["number"] != checked["numeric"]:
            failures.append(Failure("numeric", "number is the deprecated name of numeric: set only numeric"))
        return checked, failures

    def settled(self, inputs: Properties) -> Properties:
        """Every class of characters is allowed, and none demanded, unless the inputs say otherwise."""
        numeric = inputs.get("numeric", inputs.get("number", True))
        defaults = {**dict.fromkeys(_CLASSES, True), **dict.fromkeys(_CLASSES.values(), 0)}
        return {**defaults, **inputs, "numeric": numeric, "number": numeric}

    def generate(self, settings: Properties) -> str:
        """A string that satisfies the settings, its demanded characters at random places."""
        alphabets = {"upper": _UPPER, "lower": _LOWER, "numeric": _DIGITS, "special": settings.get("overrideSpecial") or _SPECIAL}
        allowed = "".join(alphabet for name, alphabet in alphabets.items() if settings[name])
        demanded = [secrets.choice(alphabets[name]) for name, minimum in _CLASSES.items() for _ in range(settings[minimum])]
        free = [secrets.choice(allowed) for _ in range(settings["length"] - len(demanded))]
        characters = demanded + free
        secrets.SystemRandom().shuffle(characters)
        return "".join(characters)

    async def create(self, call: Call, inputs: Properties) -> State:
        """Draws the string; the id is the string itself, as the vendor's plugin has it."""
        del call
        settings = self.settled(inputs)
        result = self.generate(settings)
        return State(result, {**settings, "result": result})


class RandomPassword(RandomString):
    """A random string that is secret, with its bcrypt hash."""

    type = "random:index/randomPassword:RandomPassword"
    computed = RandomString.computed | {"bcryptHash"}
    secret_outputs = frozenset({"bcryptHash", "result"})

    async def create(self, call: Call, inputs: Properties) -> State:
        """Draws the password; the id says nothing about it."""
        import bcrypt  # only passwords need it

        state = await super().create(call, inputs)
        password = state.outputs["result"].encode()[:_BCRYPT_MAX_BYTES]
        hashed = bcrypt.hashpw(password, bcrypt.gensalt(_BCRYPT_ROUNDS, prefix=b"2a")).decode()
        return State("none", {**state.outputs, "bcryptHash": hashed})


class RandomBytes(_Kept):
    """Random bytes that are secret, as base64 and as hexadecimal digits. Every change replaces them."""

    type = "random:index/randomBytes:RandomBytes"
    inputs = frozenset({"keepers", "length"})
    required = frozenset({"length"})
    computed = frozenset({"base64", "hex"})
    secret_outputs = computed

    def check(self, inputs: Properties, old_inputs: Properties) -> tuple[Properties, list[Failure]]:
        """Refuses an empty value."""
        return _at_least_one(super().check(inputs, old_inputs), "length")

    async def create(self, call: Call, inputs: Properties) -> State:
        """Draws the bytes."""
        del call
        drawn = secrets.token_bytes(inputs["length"])
        return State("none", {**inputs, "base64": base64.b64encode(drawn).decode(), "hex": drawn.hex()})


class RandomId(_Kept):
    """Random bytes that are no secret, written in several ways. Every change replaces them."""

    type = "random:index/randomId:RandomId"
    inputs = frozenset({"byteLength", "keepers", "prefix"})
    required = frozenset({"byteLength"})
    computed = frozenset({"b64Std", "b64Url", "dec", "hex"})

    def check(self, inputs: Properties, old_inputs: Properties) -> tuple[Properties, list[Failure]]:
        """Refuses an empty value."""
        return _at_least_one(super().check(inputs, old_inputs), "byteLength")

    async def create(self, call: Call, inputs: Properties) -> State:
        """Draws the bytes; the id is their URL-safe base64 form without the prefix."""
        del call
        drawn = secrets.token_bytes(inputs["byteLength"])
        url_safe = base64.urlsafe_b64encode(drawn).decode().rstrip("=")
        texts: dict[str, Any] = {
            "b64Std": base64.b64encode(drawn).decode(),
            "b64Url": url_safe,
            "dec": str(int.from_bytes(drawn, "big")),
            "hex": drawn.hex(),
        }
        prefix = inputs.get("prefix", "")
        return State(url_safe, {**inputs, **{name: prefix + text for name, text in texts.items()}})


def _at_least_one(answer: tuple[Properties, list[Failure]], name: str) -> tuple[Properties, list[Failure]]:
    checked, failures = answer
    if not failures and _known(checked, name) and checked[name] < 1:
        failures.append(Failure(name, f"Attribute {name} value must be at least 1"))
    return checked, failures


class RandomProvider(Provider):
    """Needs no settings."""

    def __init__(self) -> None:
        super().__init__("random", [RandomString(), RandomPassword(), RandomBytes(), RandomId()])


if __name__ == "__main__":
    serve(RandomProvider())
