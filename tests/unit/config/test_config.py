"""The configuration: mistakes are named with the nearest valid key, and the files in config/ are in step."""

import itertools
from pathlib import Path

import pytest
import yaml

from cryopair.config import Config, load_config, parse_config
from cryopair.config.rendering import render_schema, render_yaml
from cryopair.errors import BadFileError, UsageError

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"picking": {"diametr": 150}}, r"unknown key 'picking\.diametr'\. Did you mean 'picking\.diameter'\?"),
        ({"sourc": "a.star"}, r"unknown key 'sourc'\. Did you mean 'source'\?"),
        ({"shards": {"xyz": 1}}, r"unknown key 'shards\.xyz'\. Valid: max_wait, size\."),
        ({"training": {"steps": "many"}}, r"'training\.steps' is 'many': Input should be a valid integer"),
        ({"extraction": {"box": 127}}, r"'extraction\.box' is 127: 127 is odd; RELION's boxes are even"),
        ({"output": "../elsewhere"}, r"'output' is '\.\./elsewhere': the output folder must lie inside the project"),
        ({"output": "/scratch"}, r"the output folder must lie inside the project"),
        ({"training": {"name": "a b"}}, r"'training\.name' is 'a b'"),
    ],
)
def test_mistakes_are_named(values: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_config({"source": "a.star"} | values)


def test_each_mistake_has_one_line() -> None:
    with pytest.raises(UsageError) as caught:
        parse_config({"output": 1, "pickin": {}}, origin="config.yaml")
    assert len(str(caught.value).splitlines()) == 3
    assert "config.yaml: 'source' is missing." in str(caught.value)


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    with pytest.raises(BadFileError, match="cryopair init --from"):
        load_config(path)
    path.write_text("a: [1")
    with pytest.raises(BadFileError, match="is not YAML"):
        load_config(path)
    path.write_text("just words")
    with pytest.raises(BadFileError, match="holds no settings"):
        load_config(path)


def test_yaml_comes_back_equal_and_explains_every_key(tmp_path: Path) -> None:
    config = parse_config({"source": "a b.star", "picking": {"diameter": 150}, "extraction": {"box": 128}})
    text = render_yaml(config)
    (tmp_path / "config.yaml").write_text(text)
    assert load_config(tmp_path / "config.yaml") == config
    lines = [line for line in text.splitlines() if line.strip()]
    for above, line in itertools.pairwise(lines):
        if not line.lstrip().startswith("#"):
            assert above.lstrip().startswith("#"), f"{line} has no comment"


def test_the_files_in_config_are_generated_from_the_models() -> None:
    """To bring them in step: python -m cryopair.config.rendering."""
    example = Config.model_validate({"source": "MotionCorr/job002/corrected_micrographs.star"})
    assert (ROOT / "config" / "config.yaml").read_text() == render_yaml(example)
    assert (ROOT / "config" / "config.schema.json").read_text() == render_schema()
    assert load_config(ROOT / "config" / "config.yaml") == example


def test_the_example_is_valid() -> None:
    for path in (ROOT / "config").glob("*.yaml"):
        assert yaml.safe_load(path.read_text())
        load_config(path)


def test_coordinates_from_elsewhere_need_a_place_and_one_scale() -> None:
    values = {"source": "a.star", "picking": {"picker": "files"}}
    with pytest.raises(UsageError, match=r"^configuration: picking\.picker is 'files': say in imported\.files where"):
        parse_config(values)
    imported = {"files": "Picks", "pixel_size": 2.0, "binning": 2.0}
    with pytest.raises(UsageError, match=r"^configuration: imported has a pixel_size and a binning"):
        parse_config(values | {"imported": imported})
    assert parse_config(values | {"imported": {"files": "Picks"}}).imported.origin == (0.0, 0.0)
