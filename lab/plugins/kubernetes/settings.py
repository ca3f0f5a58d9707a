"""The provider's inputs that say how to behave."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Final

from lab.plugins.base import Properties, Unknown

_ENVIRONMENT: Final = {
    "deleteUnreachable": "PULUMI_K8S_DELETE_UNREACHABLE",
    "enableConfigMapMutable": "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
    "enablePatchForce": "PULUMI_K8S_ENABLE_PATCH_FORCE",
    "enableSecretMutable": "PULUMI_K8S_ENABLE_SECRET_MUTABLE",
    "enableServerSideApply": "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY",
    "skipUpdateUnreachable": "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE",
    "upsertExistingObjects": "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
}


@dataclass(frozen=True)
class Settings:
    """The provider's inputs that are neither about where the cluster is nor about warnings."""

    config_map_mutable: bool = False
    secret_mutable: bool = False
    server_side_apply: bool = True
    patch_force: bool = False
    delete_unreachable: bool = False
    skip_update_unreachable: bool = False
    upsert: bool = False


def settings(inputs: Properties) -> Settings:
    """The settings; they arrive as JSON text, as the SDKs send them, and fall back to the environment."""

    def on(name: str, *, default: bool = False) -> bool:
        value: Any = inputs.get(name)
        if isinstance(value, Unknown):
            return default
        if value is None:
            value = os.environ.get(_ENVIRONMENT[name])
        return default if value in {None, ""} else json.loads(str(value).lower()) is True

    return Settings(
        config_map_mutable=on("enableConfigMapMutable"),
        secret_mutable=on("enableSecretMutable"),
        server_side_apply=on("enableServerSideApply", default=True),
        patch_force=on("enablePatchForce"),
        delete_unreachable=on("deleteUnreachable"),
        skip_update_unreachable=on("skipUpdateUnreachable"),
        upsert=on("upsertExistingObjects"),
    )
