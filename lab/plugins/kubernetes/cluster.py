"""The provider's configuration, and the API it leads to."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from lab.plugins.base import Properties, ProviderError, Unknown

from .api import PATIENCE_S, PREVIEW_PATIENCE_S, Api
from .kubeconfig import Access, access, read_kubeconfig
from .rehearsal import Rehearsal
from .settings import Settings, settings

Connect = Callable[[Access, float], Api]
"""Makes the client of an API that is asked again for so many seconds while it does not answer."""


class Cluster:
    """One cluster as the provider's inputs describe it; nothing is parsed or connected before it is needed."""

    def __init__(self, inputs: Properties, connect: Connect = Api) -> None:
        self._inputs = inputs
        self._connect = connect
        self._api: Api | None = None
        self._rehearsal: Rehearsal | None = None

    @property
    def is_known(self) -> bool:
        """Whether the inputs say where the cluster is; in a preview they may not yet."""
        return not any(isinstance(self._inputs.get(name), Unknown) for name in ("kubeconfig", "context", "cluster"))

    @cached_property
    def settings(self) -> Settings:
        """How the provider is to behave."""
        return settings(self._inputs)

    @cached_property
    def access(self) -> Access:
        """Where the API is and who we are. Raises ProviderError."""
        if not self.is_known:
            raise ProviderError("the provider's kubeconfig is not known yet")
        config = read_kubeconfig(self._inputs.get("kubeconfig", ""))
        return access(config, self._inputs.get("context", ""), self._inputs.get("cluster", ""))

    @cached_property
    def namespace(self) -> str:
        """The namespace of objects that name none; empty where the provider does not say."""
        given = self._inputs.get("namespace", "")
        if given != "" or not self.is_known:
            return "" if isinstance(given, Unknown) else given
        try:
            return self.access.namespace
        except ProviderError:  # `create` will say what is wrong
            return ""

    def api(self) -> Api:
        """The API. Raises ProviderError when the kubeconfig is not known or makes no sense."""
        if self._api is None:
            self._api = self._connect(self.access, PATIENCE_S)
        return self._api

    def rehearsal(self) -> Rehearsal | None:
        """The API as a preview asks it, None when nobody can be asked."""
        if self._rehearsal is None and self.is_known:
            try:
                self.access  # noqa: B018 - raises here what the thread would raise later
                self._rehearsal = Rehearsal(lambda: self._connect(self.access, PREVIEW_PATIENCE_S))
            except ProviderError:  # the update will say what is wrong
                return None
        return self._rehearsal

    async def close(self) -> None:
        """Closes the connections."""
        if self._api is not None:
            await self._api.close()
        if self._rehearsal is not None:
            self._rehearsal.close()
