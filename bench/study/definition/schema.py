"""The JSON schema of study files; editors find it through the first line of each study."""

from typing import Any

from bench.config.schema import schema_of
from bench.study.definition.recipes import RECIPE_KEYS, recipe_files
from bench.study.definition.spec import Recipe
from bench.study.definition.study_file import RowWords, StudyFile
from detectors import zoo


def study_schema() -> dict[str, Any]:
    """StudyFile's own keys, with the free mappings of overrides filled in from the recipe's types."""
    recipe = schema_of(Recipe)
    study = schema_of(StudyFile, dotted=False)
    definitions = {**recipe["$defs"], **study["$defs"]}
    overrides = definitions["Recipe"]
    variant = {"type": "string", "description": "a name that `locbench variants` lists", "enum": list(zoo.names())}
    words = schema_of(RowWords, dotted=False)["$defs"]["RowWords"]["properties"] | {"variant": variant}
    row = {**overrides, "properties": {**words, **overrides["properties"]}}
    properties = definitions["StudyFile"]["properties"]
    properties |= {key: overrides["properties"][key] for key in RECIPE_KEYS}
    properties["variant"] = variant
    properties["recipe"] |= {"enum": list(recipe_files())}
    properties["rows"] = {"type": "object", "additionalProperties": {"anyOf": [row, {"type": "null"}]}}
    properties["profiles"] = {"type": "object", "additionalProperties": {"$ref": "#/$defs/Recipe"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "locbench study",
        **study,
        "$defs": definitions,
    }
