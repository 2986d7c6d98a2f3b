"""A table as plain values: headings, cells as text, and sorting keys."""

from typing import Any

from dlcli.report.page import thin
from dlcli.report.table_formats import Table


def table(found: Table, digits: int = 4) -> dict[str, Any]:
    """Headings, cells as text, and the values by which columns are sorted."""
    return {
        "columns": [{"title": column.title, "wordy": column.wordy} for column in found.columns],
        "cells": found.cells(digits),
        "sort": [[_sortable(row.get(column.parts[0])) for column in found.columns] for row in found.rows],
    }


def _sortable(value: Any) -> Any:
    return value if value is None or (isinstance(value, int | float) and thin.is_number(value)) else str(value)
