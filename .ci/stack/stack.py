"""What the checks of the stack share: the files, read as the tools that use them read them. Changes nothing."""

import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?:(:[-?])([^}]*))?\}")


def text(path):
    return (ROOT / path).read_text()


def compose():
    return yaml.safe_load(text("docker-compose.yml"))


def services(*profiles):
    """The services that `docker compose up` starts with these profiles."""
    return {name: service for name, service in compose()["services"].items() if active(service, profiles)}


def active(service, profiles):
    return "profiles" not in service or bool(set(service["profiles"]) & set(profiles))


def resolved(value, environment):
    """A value with its variables put in, as compose does it."""

    def put_in(match):
        name, operator, word = match.groups()
        given = environment.get(name, "")
        if operator == ":?" and not given:
            raise ValueError(f"{name}: {word}")
        return given or (word if operator == ":-" else "")

    return VARIABLE.sub(put_in, str(value))


def template_environment():
    """config/compose.env as a dictionary."""
    lines = (line for line in text("config/compose.env").splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def seconds(duration):
    """`1m30s` in seconds."""
    parts = re.findall(r"(\d+)([hms])", str(duration))
    assert "".join(number + unit for number, unit in parts) == str(duration), duration
    return sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts)
