from hitl_events.adapters.blobs.files import FileBlobs

__all__ = ["FileBlobs"]
