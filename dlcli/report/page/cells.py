"""Tables of the HTML page as plain values: headings, cells as text, and sort keys."""

from typing import Any

from dlcli.report.page import thin
from dlcli.report.table_formats import Table


def table(source: Table, digits: int = 4) -> dict[str, Any]:
    """Headings, cells as text, and sort keys of a table.

    Args:
        digits: significant digits of the cells.
    """
    return {
        "columns": [{"title": column.title, "wordy": column.wordy} for column in source.columns],
        "cells": source.cells(digits),
        "sort": [[_sortable(row.get(column.parts[0])) for column in source.columns] for row in source.rows],
    }


def _sortable(value: Any) -> Any:
    return value if value is None or (isinstance(value, int | float) and thin.is_number(value)) else str(value)
