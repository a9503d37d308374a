"""The OpenAPI document in, a page to read and try it out: from this service alone, no other host.

Swagger UI comes from a Python package. All addresses are relative, so that the page works behind
a gateway that puts the service under a path of its own.
"""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse

PATH = "/docs"
PACKAGE = "fastapi_swagger.resources"
SCRIPT = "swagger-ui-bundle.js"
STYLE = "swagger-ui.css"
ICON = "favicon-32x32.png"
TYPES = {SCRIPT: "text/javascript", STYLE: "text/css", ICON: "image/png"}
# The page has a script and styles in line; from elsewhere comes nothing, whatever a script asks.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; "
    "script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FILE_HEADERS = {
    "Cache-Control": "public, max-age=86400",
    "X-Content-Type-Options": "nosniff",
}


def add_api_page(app: FastAPI) -> None:
    """Serves `/docs`, and next to it the files that it is made of."""
    folder = Path(str(files(PACKAGE)))
    page = get_swagger_ui_html(
        openapi_url="./openapi.json",
        title=f"{app.title}: the API",
        swagger_js_url=f".{PATH}/{SCRIPT}",
        swagger_css_url=f".{PATH}/{STYLE}",
        swagger_favicon_url=f".{PATH}/{ICON}",
        swagger_ui_parameters={"validatorUrl": None},  # else a picture from another host
    )

    @app.get(PATH, include_in_schema=False)
    async def api_page() -> Response:
        return Response(page.body, media_type="text/html", headers=PAGE_HEADERS)

    def add(name: str) -> None:
        @app.get(f"{PATH}/{name}", include_in_schema=False)
        async def file() -> Response:
            return FileResponse(folder / name, media_type=TYPES[name], headers=FILE_HEADERS)

    for name in TYPES:
        add(name)
