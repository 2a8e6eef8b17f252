"""An example of a plugin: short notes that are kept for a while."""

from __future__ import annotations

from localzure.plugins import (
    SECOND,
    Instant,
    LocalZureService,
    Operation,
    PluginCall,
    PluginContext,
    PluginError,
    ServiceHealth,
    ServiceMetadata,
)


class Notes(LocalZureService):
    """Keeps notes by name; each is deleted an hour after it was written, or as `keep_seconds` says."""

    @classmethod
    def get_metadata(cls) -> ServiceMetadata:
        return ServiceMetadata("notes", "1.0", "Short notes", dependencies=("blob",), port=9310)

    def start(self, context: PluginContext) -> None:
        self._context = context
        self._keep = int(str(context.settings.get("keep_seconds", 3600))) * SECOND
        self._set_alarm()

    def operations(self) -> list[Operation]:
        return [
            Operation("ListNotes", "GET", "notes", self._list),
            Operation("GetNote", "GET", "notes/{name}", self._get),
            Operation("PutNote", "PUT", "notes/{name}", self._put, body_bytes_max=1024),
        ]

    def reset(self) -> None:
        self._set_alarm()

    def expire(self) -> None:
        now = self._context.clock.now()
        with self._context.transactions.writer() as writer:
            due, texts = self._context.space.subspace("due"), self._context.space.subspace("text")
            for key, _ in list(writer.scan(*due.range())):
                at, name = due.unpack(key)
                if int(str(at)) > now:
                    break
                writer.delete(key)
                writer.delete(texts.pack(name))
        self._set_alarm()

    def health(self) -> ServiceHealth:
        return ServiceHealth(detail=f"{len(self._names())} notes")

    def _list(self, call: PluginCall) -> list[str]:
        return self._names()

    def _get(self, call: PluginCall) -> dict[str, str]:
        name = call.names["name"]
        with self._context.transactions.reader() as reader:
            text = reader.get(self._context.space.subspace("text").pack(name))
        if text is None:
            raise PluginError(404, "NoteNotFound", f"There is no note {name!r}.")
        return {"name": name, "text": text.decode()}

    def _put(self, call: PluginCall) -> None:
        name, at = call.names["name"], self._context.clock.now() + self._keep
        with self._context.transactions.writer() as writer:
            writer.put(self._context.space.subspace("text").pack(name), call.body)
            writer.put(self._context.space.subspace("due").pack(at, name), b"")
        self._context.transactions.after_commit(self._set_alarm)

    def _names(self) -> list[str]:
        texts = self._context.space.subspace("text")
        with self._context.transactions.reader() as reader:
            return [str(texts.unpack(key)[0]) for key, _ in reader.scan(*texts.range())]

    def _set_alarm(self) -> None:
        due = self._context.space.subspace("due")
        with self._context.transactions.reader() as reader:
            first = next(iter(reader.scan(*due.range(), limit=1)), None)
        self._context.alarm.set(None if first is None else Instant(int(str(due.unpack(first[0])[0]))))
