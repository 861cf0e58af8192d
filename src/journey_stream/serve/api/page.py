"""The API for people: one HTML page made from the same declarations, and its style sheet; nothing from elsewhere."""

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from journey_stream.serve.api.operations import Operation

STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; }
h2 { border-top: 1px solid; margin-top: 2.5rem; padding-top: 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid; padding: 0.3rem 0.6rem 0.3rem 0; text-align: left; vertical-align: top; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { border: 1px solid; overflow-x: auto; padding: 0.8rem; }
"""


def page(operations: Sequence[Operation], document: dict[str, Any]) -> str:
    """HTML; `document` is the OpenAPI description."""
    sections = "\n".join(_section(operation, document["paths"][operation.path]["get"]) for operation in operations)
    links = "".join(f'<li><a href="#{_anchor(one)}">{escape(one.summary)}</a></li>' for one in operations)
    schemas = "\n".join(_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    info = document["info"]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API of the live journey map</title>
<link rel="stylesheet" href="/api.css">
</head>
<body>
<main>
<h1>API of the live journey map</h1>
<p>{escape(info["description"])}</p>
<p>Everything is read with GET. A machine reads <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1), made from the
same declarations as this page. A request that cannot be answered gets <code>{{"error": "a sentence"}}</code>.</p>
<nav aria-label="Operations"><ul>{links}</ul></nav>
{sections}
<h2 id="schemas">Schemas</h2>
{schemas}
</main>
</body>
</html>
"""


def _section(operation: Operation, described: dict[str, Any]) -> str:
    schema = described["responses"]["200"]["content"][operation.media_type]["schema"]
    name = schema["$ref"].rpartition("/")[2]
    rows = "".join(
        f"<tr><th scope='row'><code>{escape(one['name'])}</code></th><td>{escape(kind_of(one['schema']))}</td>"
        f"<td>{escape(one.get('description', ''))}</td></tr>"
        for one in described["parameters"]
    )
    head = (
        "<thead><tr><th scope='col'>parameter</th><th scope='col'>value</th><th scope='col'>meaning</th></tr></thead>"
    )
    table = f"<table>{head}<tbody>{rows}</tbody></table>" if rows else ""
    shown = escape(operation.path)
    link = f'<a href="{shown}"><code>GET {shown}</code></a>' if "{" not in shown else f"<code>GET {shown}</code>"
    return f"""<section aria-labelledby="{_anchor(operation)}">
<h2 id="{_anchor(operation)}">{escape(operation.summary)}</h2>
<p>{link}</p>
<p>{escape(operation.description)}</p>
{table}
<p>Answers {escape(operation.media_type)}: <a href="#schema-{escape(name)}">{escape(name)}</a>.</p>
</section>"""


def _schema(name: str, schema: dict[str, Any]) -> str:
    text = escape(json.dumps(schema, indent=2, ensure_ascii=False))
    # A region that scrolls must be reachable by keyboard.
    return f"<h3 id='schema-{escape(name)}'>{escape(name)}</h3>\n<pre tabindex='0'>{text}</pre>"


def kind_of(schema: dict[str, Any]) -> str:
    """What a parameter holds, in words."""
    if "enum" in schema:
        kind = " | ".join(schema["enum"])
    elif "minimum" in schema:
        kind = f"{schema['type']}, {schema['minimum']} to {schema['maximum']}"
    else:
        kind = schema.get("format", schema["type"])
    return f"{kind}; {schema['default']} if not given" if "default" in schema else kind


def _anchor(operation: Operation) -> str:
    return operation.path.strip("/").replace("/", "-").replace("{", "").replace("}", "")
