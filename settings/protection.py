"""What may not be deleted or replaced by accident."""

from settings.base import Settings
from settings.forms import Flag


class Protection(Settings):
    """What the engine refuses to delete or replace. To replace it lift the setting in the same `up`, to delete it in an `up` before that one."""

    control_plane_disks: Flag = True
    """Root and etcd volumes of the control planes. A change alters nothing that runs."""
    authorities: Flag = True
    """The cluster's, etcd's and the front proxy's CA, the service accounts' key and the encryption key: to replace one cuts every node
    off. A change alters nothing that runs."""
