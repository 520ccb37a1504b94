"""A contract in the words of other standards: Table Schema, CSVW, and ODCS itself.

Table Schema and CSVW describe accepted data as the hub writes it to CSV: canonical column names, ISO 8601 dates,
UTC timestamps ending in Z, true and false, empty for missing. `table_schema(..., source=True)` describes the
department's own file instead, with its headers and formats.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

from hub_schemas import cells
from hub_schemas.cells import FALSE, TRUE
from hub_schemas.contract import Contract
from hub_schemas.faults import written
from hub_schemas.identifier_kinds import KINDS
from hub_schemas.model import (
    DEFAULT_DATE_FORMATS,
    DEFAULT_TIMESTAMP_FORMATS,
    BothOrNeither,
    Cell,
    Column,
    NotBefore,
    NotMoreThan,
    Quality,
    RowRule,
)
from hub_schemas.patterns import compile_pattern

__all__ = ["csvw", "odcs_document", "odcs_yaml", "table_schema"]

_METRICS: Final = {"nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"}


def _plain(value: Cell) -> Any:
    """A typed value for JSON: numbers and booleans as they are, dates as text."""
    return value if isinstance(value, bool | int | float | str) else written(value)


def _limits(column: Column) -> dict[str, Any]:
    """Bounds by the names of Table Schema and CSVW; open ends of whole numbers and dates are made closed."""
    low, high = column.minimum, column.maximum
    above, below = column.exclusive_minimum, column.exclusive_maximum
    bounds: dict[str, Any] = {}
    for name, closed, open_end, step in (("minimum", low, above, 1), ("maximum", high, below, -1)):
        if closed is not None:
            bounds[name] = _plain(closed)
        if open_end is None:
            continue
        if column.type == "integer" and isinstance(open_end, int):
            candidate: Any = open_end + step
        elif column.type == "date" and isinstance(open_end, date):
            candidate = written(open_end + timedelta(days=step))
        else:
            bounds[f"exclusive{name.title()}"] = _plain(open_end)
            continue
        pick = max if step == 1 else min
        bounds[name] = candidate if name not in bounds else pick(bounds[name], candidate)
    return bounds


def _pattern(column: Column) -> str | None:
    if column.pattern is not None:
        return compile_pattern(column.pattern).portable
    return None if column.identifier is None else KINDS[column.identifier].canonical


def table_schema(contract: Contract, *, source: bool = False) -> dict[str, Any]:
    """The Table Schema (Frictionless Data) of the accepted rows, or of the department's file with `source`."""
    missing = {text for column in contract.columns for text in column.missing_values} if source else set()
    document: dict[str, Any] = {
        "fields": [_field(column, source=source) for column in contract.columns],
        "missingValues": ["", *sorted(missing)],
    }
    if contract.primary_key:
        names = {column.name: column.source_name if source else column.name for column in contract.columns}
        document["primaryKey"] = [names[name] for name in contract.primary_key]
    return document


def _field(column: Column, *, source: bool) -> dict[str, Any]:
    field: dict[str, Any] = {"name": column.source_name if source else column.name}
    field["type"] = "datetime" if column.type == "timestamp" else column.type
    if column.title:
        field["title"] = column.title
    if column.description:
        field["description"] = column.description
    if column.type == "boolean" and source:
        field["trueValues"], field["falseValues"] = list(TRUE), list(FALSE)
    elif column.type in ("date", "timestamp"):
        field["format"] = _date_format(column) if source else "default"
    constraints: dict[str, Any] = {"required": True} if column.required else {}
    if column.unique:
        constraints["unique"] = True
    if not (source and column.identifier):
        constraints |= {"pattern": pattern} if (pattern := _pattern(column)) else {}
    if column.min_length is not None:
        constraints["minLength"] = column.min_length
    if column.max_length is not None:
        constraints["maxLength"] = column.max_length
    constraints |= _limits(column)
    if column.enum:
        constraints["enum"] = [_plain(value) for value in column.enum]
    if source and "%" in field.get("format", ""):
        # Table Schema has constraints written as the file writes its cells.
        constraints = {name: _as_in_source(column, value) for name, value in constraints.items()}
    if constraints:
        field["constraints"] = constraints
    return field


def _as_in_source(column: Column, value: Any) -> Any:
    typed = (
        cells.parse(replace(column, formats=DEFAULT_DATE_FORMATS), value) if isinstance(value, str) else None
    )
    return typed.strftime(_date_format(column)) if isinstance(typed, date) else value


def _date_format(column: Column) -> str:
    """One strptime format, `default` for ISO, `any` where the contract takes several."""
    if column.formats in (DEFAULT_DATE_FORMATS, DEFAULT_TIMESTAMP_FORMATS):
        return "default" if column.type == "date" else "any"
    return column.formats[0].replace("%-", "%") if len(column.formats) == 1 else "any"


def csvw(contract: Contract, url: str = "data.csv") -> dict[str, Any]:
    """The CSVW metadata (W3C, Tabular Data on the Web) of a CSV file of accepted rows at `url`."""
    table: dict[str, Any] = {"columns": [_csvw_column(column) for column in contract.columns]}
    if contract.primary_key:
        table["primaryKey"] = [_csvw_name(name) for name in contract.primary_key]
    document: dict[str, Any] = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": url,
        "dc:title": contract.title,
        "tableSchema": table,
    }
    if contract.description:
        document["dc:description"] = contract.description
    return document


def _csvw_name(name: str) -> str:
    """CSVW keeps names that begin with an underscore for itself."""
    return f"c{name}" if name.startswith("_") else name


def _csvw_column(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {"name": _csvw_name(column.name), "titles": column.name, "null": ""}
    if column.description:
        found["dc:description"] = column.description
    if column.required:
        found["required"] = True
    kind: dict[str, Any] = {"base": {"timestamp": "dateTime"}.get(column.type, column.type)}
    if column.type == "number":
        kind["base"] = "double"
    if column.type == "date":
        kind["format"] = "yyyy-MM-dd"
    if column.min_length is not None:
        kind["minLength"] = column.min_length
    if column.max_length is not None:
        kind["maxLength"] = column.max_length
    pattern = _pattern(column)
    if pattern is None and column.enum and column.type == "string":
        pattern = "|".join(compile_pattern(_literal(str(value))).portable for value in column.enum)
    if pattern is not None:
        kind["format"] = pattern
    kind |= {
        {"exclusiveMinimum": "minExclusive", "exclusiveMaximum": "maxExclusive"}.get(name, name): value
        for name, value in _limits(column).items()
    }
    found["datatype"] = kind if len(kind) > 1 else kind["base"]
    return found


def _literal(text: str) -> str:
    """A pattern that matches this text only."""
    return re.sub(r"([^A-Za-z0-9 \u0080-\U0010ffff])", r"\\\1", text)


def odcs_document(contract: Contract) -> dict[str, Any]:
    """The contract as an ODCS 3.1 document; `load_contract` of it gives the same contract again.

    Parts of the original that the hub has no use for (servers, teams, prices) are not in it.
    """
    table: dict[str, Any] = {
        "name": contract.id.rpartition(".")[2].replace("-", "_"),
        "physicalType": "table",
    }
    if contract.granularity:
        table["dataGranularityDescription"] = contract.granularity
    table["properties"] = [_property(contract, column) for column in contract.columns]
    quality = [
        _check(check) for check in contract.quality if check.metric in _METRICS and _is_of_table(check)
    ]
    quality += [
        {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": list(names)}}
        for names in contract.unique_together
    ]
    if quality:
        table["quality"] = quality
    table["customProperties"] = _custom(contract)
    document: dict[str, Any] = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": contract.id,
        "name": contract.title,
        "version": contract.version,
        "status": contract.status,
        "domain": contract.domain,
    }
    if contract.tags:
        document["tags"] = list(contract.tags)
    words = {"purpose": contract.description, "usage": contract.usage, "limitations": contract.limitations}
    document["description"] = {name: text for name, text in words.items() if text}
    document["schema"] = [table]
    promises = [_promise(check, table["name"]) for check in contract.quality if check.metric == "freshness"]
    if promises:
        document["slaProperties"] = promises
    return document


def odcs_yaml(contract: Contract) -> str:
    """`odcs_document` as YAML text."""
    import yaml

    text: str = yaml.safe_dump(odcs_document(contract), sort_keys=False, allow_unicode=True, width=110)
    return text


def _is_of_table(check: Quality) -> bool:
    return check.metric == "rowCount" or len(check.columns) > 1 or (check.metric == "duplicateValues")


def _check(check: Quality) -> dict[str, Any]:
    operands: list[Any] = [int(number) if number.is_integer() else number for number in check.operands]
    found: dict[str, Any] = {"metric": check.metric}
    found[check.operator] = operands if check.operator.endswith("Between") else operands[0]
    if check.unit == "percent":
        found["unit"] = "percent"
    if check.metric == "duplicateValues":
        found["arguments"] = {"properties": list(check.columns)}
    elif check.metric == "invalidValues":
        found["arguments"] = {"validValues": [_plain(value) for value in check.values]}
    elif check.metric == "missingValues":
        found["arguments"] = {"missingValues": list(check.values)}
    if not check.blocking:
        found["severity"] = "warning"
    if check.description:
        found["description"] = check.description
    return found


def _promise(check: Quality, table: str) -> dict[str, Any]:
    found: dict[str, Any] = {"property": "freshness", "value": check.operands[0], "unit": "d"}
    found["element"] = f"{table}.{check.columns[0]}"
    if check.blocking:
        found["driver"] = "regulatory"
    if check.description:
        found["description"] = check.description
    return found


def _property(contract: Contract, column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column.name}
    if column.source_name != column.name:
        found["physicalName"] = column.source_name
    if column.title:
        found["businessName"] = column.title
    if column.description:
        found["description"] = column.description
    found["logicalType"] = column.type
    if options := _options(column):
        found["logicalTypeOptions"] = options
    if column.name in contract.primary_key:
        found |= {"primaryKey": True, "primaryKeyPosition": contract.primary_key.index(column.name) + 1}
    found["required"] = column.required
    if column.unique:
        found["unique"] = True
    found["classification"] = column.classification
    checks = [
        _check(check) for check in contract.quality if check.columns == (column.name,) and _is_about(check)
    ]
    if column.enum:
        values = [_plain(value) for value in column.enum]
        checks.insert(0, {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": values}})
    if checks:
        found["quality"] = checks
    if custom := _column_custom(column):
        found["customProperties"] = custom
    if column.examples:
        found["examples"] = list(column.examples)
    return found


def _is_about(check: Quality) -> bool:
    return check.metric in ("nullValues", "missingValues", "invalidValues")


def _options(column: Column) -> dict[str, Any]:
    options = {
        "minLength": column.min_length,
        "maxLength": column.max_length,
        "pattern": column.pattern,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "exclusiveMinimum": column.exclusive_minimum,
        "exclusiveMaximum": column.exclusive_maximum,
    }
    found = {name: _plain(value) for name, value in options.items() if value is not None}
    if column.timezone != "UTC":
        found["defaultTimezone"] = column.timezone
    return found


def _column_custom(column: Column) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if column.identifier:
        found.append({"property": "identifier", "value": column.identifier})
    if column.linkage_role:
        found.append({"property": "linkageRole", "value": column.linkage_role})
    if column.formats not in ((), DEFAULT_DATE_FORMATS, DEFAULT_TIMESTAMP_FORMATS):
        found.append({"property": "format", "value": list(column.formats)})
    if column.missing_values:
        found.append({"property": "missingValues", "value": list(column.missing_values)})
    if column.references:
        value = {"dataset": column.references.dataset, "column": column.references.column}
        found.append({"property": "references", "value": value})
    if column.about_others:
        found.append({"property": "aboutOthers", "value": True})
    return found


def _custom(contract: Contract) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"property": "refusalThreshold", "value": contract.refusal_threshold}]
    if contract.unexpected_columns != "ignore":
        found.append({"property": "unexpectedColumns", "value": contract.unexpected_columns})
    if contract.coverage_column is not None:
        found.append({"property": "coverageColumn", "value": contract.coverage_column})
    if contract.confidential_patient_information:
        found.append({"property": "confidentialPatientInformation", "value": True})
    return found + [_rule(rule) for rule in contract.rules]


def _rule(rule: RowRule) -> dict[str, Any]:
    if isinstance(rule, BothOrNeither):
        return {"property": "bothOrNeither", "value": list(rule.columns)}
    if isinstance(rule, NotBefore):
        return {"property": "notBefore", "value": {"later": rule.later, "earlier": rule.earlier}}
    if isinstance(rule, NotMoreThan):
        return {"property": "notMoreThan", "value": {"column": rule.column, "than": rule.than}}
    values = [_plain(value) for value in rule.values]
    return {"property": "requiredWhen", "value": {"column": rule.column, "when": rule.when, "in": values}}
