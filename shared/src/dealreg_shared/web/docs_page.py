"""The API's documentation as a page that needs nothing from outside: Swagger UI from our own files.

The files under ``static/swagger-ui`` are vendored; ``manifest.json`` beside them names their origin,
version, licence and hashes. The page works under a policy that forbids inline scripts and every other
host. Its addresses are relative, so that it also works where the app is mounted under a path.
"""

from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" type="image/png" href="docs-files/swagger-ui/favicon-32x32.png">
<link rel="stylesheet" href="docs-files/swagger-ui/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs-files/swagger-ui/swagger-ui-bundle.js"></script>
<script src="docs-files/docs.js"></script>
</body>
</html>
"""


def docs_routes(title: str) -> list[BaseRoute]:
    """``/docs`` and the files it needs. The app's description is expected at ``openapi.json``."""
    page = _PAGE.format(title=escape(title))

    async def docs(_request: Request) -> Response:
        return HTMLResponse(
            page,
            headers={
                "content-security-policy": POLICY,
                "x-content-type-options": "nosniff",
                "referrer-policy": "no-referrer",
            },
        )

    return [
        Route("/docs", docs, name="docs"),
        Mount("/docs-files", StaticFiles(directory=STATIC), name="docs-files"),
    ]
