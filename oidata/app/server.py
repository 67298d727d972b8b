"""The App itself: a server, by default for this machine alone."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from oidata.app.layout import WORKSPACE
from oidata.errors import AppError, UsageError

if TYPE_CHECKING:
    from oidata.app.samples import Store

LOOPBACK: Final = "127.0.0.1"
ALL: Final = "0.0.0.0"  # noqa: S104 - only where the user asks for it
DEFAULT_PORT: Final = 5151  # FiftyOne's
_FOREVER: Final = -1


@dataclass(frozen=True)
class Place:
    """Where the App is to be had. is_remote: on all addresses of this machine, and without opening a browser here."""

    port: int = DEFAULT_PORT
    is_remote: bool = False

    @property
    def address(self) -> str:
        """What it listens on."""
        return ALL if self.is_remote else LOOPBACK

    def check_free(self) -> None:
        """Raise UsageError if something else listens there; FiftyOne would wait for it."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.address, self.port))
            except OSError as error:
                message = f"Port {self.port} cannot be had: {(error.strerror or str(error)).lower()}."
                raise UsageError(message, "Choose another: --port N.") from error


@dataclass(frozen=True)
class App:
    """An App that is open."""

    url: str
    session: Any

    def wait(self) -> None:
        """Keep it open until Ctrl-C."""
        try:
            self.session.wait(_FOREVER)
        except KeyboardInterrupt:
            return

    def close(self) -> None:
        """End it."""
        self.session.close()


def launch(store: Store, place: Place, view: str | None) -> App:
    """Open the App on a saved view, or else on all photos.

    Raises UsageError where the port is taken, and AppError where FiftyOne's server does not come up.
    """
    place.check_free()
    dataset = store.dataset
    shown = dataset if view is None else dataset.load_saved_view(view)
    try:
        session = store.fo.launch_app(
            shown,
            spaces=dataset.load_workspace(WORKSPACE),
            address=place.address,
            port=place.port,
            remote=place.is_remote,
        )
    except store.fo.core.service.ServiceListenTimeout as error:
        message = f"FiftyOne's server does not listen on {place.address}:{place.port} after a minute."
        raise AppError(message, "On a busy machine try again; --no-launch puts the views in without it.") from error
    host = socket.gethostname() if place.is_remote else LOOPBACK
    return App(f"http://{host}:{place.port}/datasets/{dataset.slug}", session)
