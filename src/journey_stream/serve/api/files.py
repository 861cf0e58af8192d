"""The files of the page, with the headers that let a browser keep them."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope


class Files(StaticFiles):
    """A directory; `index.html` stands for it. It may be missing, where only the API is wanted."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, html=True, check_dir=False)
        self._exists = directory.is_dir()

    async def get_response(self, path: str, scope: Scope) -> Response:
        if not self._exists:
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        # Kept, but asked after: the names do not change with their content, and an ETag tells whether it did.
        response.headers["cache-control"] = "no-cache"
        return response
