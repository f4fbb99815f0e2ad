"""YAML for every command: numbers are numbers, mistakes are named with their key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, field_validator

from cmslabs.config import StrictModel, config_hash, load_config, load_yaml, validate
from cmslabs.errors import ConfigError, DataError


class Train(StrictModel):
    epochs: int = Field(10, ge=1)
    rate: float = 1e-3
    device: str = "auto"

    @field_validator("device")
    @classmethod
    def _known(cls, value):
        if value not in ("auto", "cpu"):
            raise ValueError("must be auto or cpu")
        return value


class Cut(StrictModel):
    name: str
    low: float | None = None


class Config(StrictModel):
    name: str
    train: Train = Train()
    cuts: list[Cut] = Field(default_factory=list)
    extra: Train | None = None


def write(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return path


def test_a_good_file(tmp_path):
    path = write(tmp_path, "name: a\ntrain: {epochs: 3, rate: 1e-3}\ncuts:\n  - name: pt\n    low: 20\n")
    config = load_config(path, Config)
    assert (config.train.epochs, config.train.rate, config.cuts[0].low) == (3, 0.001, 20.0)
    with pytest.raises(ValidationError):
        config.name = "b"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-2.5e+3", -2500.0),
        (".5", 0.5),
        ("3.", 3.0),
        ("1_000", 1000),
        ("7", 7),
        ("0x10", 16),
        (".inf", float("inf")),
        ("-.inf", float("-inf")),
        ("no", "no"),
        ("on", "on"),
        ("Y", "Y"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("'1e-3'", "1e-3"),
        ("e5", "e5"),
        ("1e", "1e"),
        ("2016H", "2016H"),
    ],
)
def test_scalars(tmp_path, text, value):
    found = load_yaml(write(tmp_path, f"key: {text}\n"))["key"]
    assert found == value
    assert type(found) is type(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_that_python_writes_is_read(tmp_path_factory, number):
    path = write(tmp_path_factory.mktemp("y"), f"key: {number!r}\n")
    assert load_yaml(path)["key"] == number


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nnaem: b\n", r"naem: unknown key; did you mean 'name'\?"),
        ("name: a\nzzzzz: b\n", "zzzzz: unknown key; known keys: cuts, extra, name, train"),
        ("train: {epochs: 3}\n", "name: this key is required and missing"),
        ("name: a\ntrain: {epoch: 3}\n", r"train\.epoch: unknown key; did you mean 'epochs'\?"),
        ("name: a\ntrain: {epochs: many}\n", r"train\.epochs: .*valid integer.*found 'many'"),
        ("name: a\ntrain: {epochs: 0}\n", r"train\.epochs: .*greater than or equal to 1.*found 0"),
        ("name: a\ntrain: {device: tpu}\n", r"train\.device: must be auto or cpu \(found 'tpu'\)"),
        ("name: a\ncuts: [{nane: x}]\n", r"cuts\.0\.nane: unknown key; did you mean 'name'\?"),
        ("name: a\nextra: {epoch: 3}\n", r"extra\.epoch: unknown key; did you mean 'epochs'\?"),
        ("name: a\ncuts: 3\n", "cuts: .*valid list"),
        ("name: 3\n", "name: .*valid string"),
        ("name: a\ntrain: 5\n", "train: "),
    ],
)
def test_mistakes_are_named(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        load_config(write(tmp_path, text), Config)
    assert "c.yaml" in str(caught.value)


def test_all_mistakes_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, "naem: a\ntrain: {epochs: 0, rat: 1}\n"), Config)
    assert str(caught.value).count("\n  - ") == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1, 2\nb: 3\n", "line 2: is not valid YAML"),
        ("a: 1\na: 2\n", "line 2: is not valid YAML: the key 'a' stands twice"),
        ("a: {b: 1, b: 2}\n", "the key 'b' stands twice"),
        ("- 1\n- 2\n", "not a mapping"),
        ("", "is empty"),
        ("just words\n", "not a mapping"),
        ("a: !!python/object/apply:os.system ['true']\n", "is not valid YAML"),
        ("a:\n\t- b\n", "is not valid YAML"),
        ("a: *nothing\n", "is not valid YAML"),
    ],
)
def test_bad_yaml(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        load_yaml(write(tmp_path, text))


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_yaml(path)
    path.write_bytes(b"a: \x00\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_yaml(path)
    with pytest.raises(DataError, match="no such file"):
        load_yaml(tmp_path / "absent.yaml")


def test_merge_keys_still_work(tmp_path):
    text = "base: &base {epochs: 3}\ntrain:\n  <<: *base\n  rate: 0.5\n"
    assert load_yaml(write(tmp_path, text))["train"] == {"epochs": 3, "rate": 0.5}


def test_overrides(tmp_path):
    path = write(tmp_path, "name: a\ntrain: {epochs: 3}\n")
    config = load_config(path, Config, ["train.epochs=7", "train.rate=1e-2", "name=b c", "extra.epochs=2"])
    assert (config.train.epochs, config.train.rate, config.name, config.extra.epochs) == (7, 0.01, "b c", 2)
    for override, said in {
        "train.epochs": "no key or value",
        "=3": "no key or value",
        "name.x=3": "'name', which is a value",
        "train.epoch=3": "did you mean 'epochs'",
        "train.epochs=[1": r"value of the override .* is not valid YAML",
        "a..b=1": "a: unknown key",
    }.items():
        with pytest.raises(ConfigError, match=said):
            load_config(path, Config, [override])


def test_the_hash_changes_with_any_value():
    base = Config(name="a")
    others = [Config(name="b"), Config(name="a", train=Train(rate=2e-3)), Config(name="a", cuts=[Cut(name="x")])]
    assert config_hash(base) == config_hash(Config(name="a", train=Train(epochs=10)))
    assert len({config_hash(config) for config in [base, *others]}) == 4


def test_validate_says_where():
    with pytest.raises(ConfigError, match="the card: name: this key is required"):
        validate(Config, {}, where="the card")
