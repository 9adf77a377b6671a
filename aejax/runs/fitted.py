"""A trained net in Python: codes and reconstructions of new rows, its history, and how it is saved and opened."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax import config as configs
from aejax.data.arrays import as_rows, rows_of_frame
from aejax.data.documents import is_texts, new_rows
from aejax.data.scaling import original
from aejax.errors import UserError, shown
from aejax.files import is_used, write_atomic, write_json
from aejax.runs import apply, artifact, exported, workdir
from aejax.runs.reasons import reasons
from aejax.storage import checkpoint, checksums
from aejax.storage.records import NOT_FINITE, Many, Named
from aejax.storage.trees import named_arrays, nested
from aejax.training.build import build_model
from aejax.training.context import outline
from aejax.training.evaluate import on_device
from aejax.types import Column, Columns, Dataset, Kept, Model, Params, Range, Rows, Split


@dataclass(frozen=True)
class Fitted:
    """A trained autoencoder; rows go in and come out in the units of the data.

    Attributes:
        model: the autoencoder.
        params: its parameters.
        data: the data set without its rows: names, scaling, shape of a row.
        history: by name an array with a value for each evaluation: ``step``, ``train_loss``, ``train_TERM`` (means
            since the evaluation before) and, with validation rows, ``validation_loss``, ``validation_TERM``,
            ``validation_mse``.
        summary: of a run in a folder what its ``summary.json`` holds; else empty.
        config: of the run, where it has one.
        kept: what the config's task left for new rows, of a net in memory.
    """

    model: Model
    params: Params
    data: Dataset
    history: Mapping[str, np.ndarray]
    measure: Callable[[Rows], Mapping[str, float]] | None = field(default=None, repr=False)
    summary: Mapping[str, Any] = field(default_factory=dict, repr=False)
    config: Mapping[str, Any] | None = field(default=None, repr=False)
    kept: Kept | None = field(default=None, repr=False)

    def encode(self, x: Any) -> np.ndarray:
        """The codes of rows: (m, *feature_shape) or (m, n) -> (m, d) float32.

        NaN is a missing value: a model that takes such rows is told; for any other the mean of the column stands there,
        as in training, where some training row had a hole.

        The columns of a frame are matched by their names, where the net was trained on some; those of an array go by
        their place. A net that was trained on documents takes a list of texts, too.
        """
        return self._applied("encode", self._values(x), "x")

    def decode(self, codes: Any) -> np.ndarray:
        """Codes as rows in the units of the data: (m, d) -> (m, *feature_shape) float32."""
        return self._applied("decode", np.asarray(codes, np.float32), "codes")

    def reconstruct(self, x: Any) -> np.ndarray:
        """Rows through the encoder and the decoder, in the units of the data: (m, *feature_shape) float32."""
        return self._applied("reconstruct", self._values(x), "x")

    def apply(self, action: str, x: Any) -> np.ndarray | Columns:
        """What the config's task does with new rows under that name, such as ``"score"``: as ``aejax apply`` does.

        Raises:
            UserError: the task has no such action, or it refuses the rows.
        """
        return self._applied(action, self._values(x), "x")

    def explain(self, action: str, x: Any) -> dict[str, np.ndarray]:
        """Why rows get what `apply` says, such as their score: the text that ``aejax apply`` writes beside it.

        Returns:
            ``column_1``, ``value_1`` and ``expected_1``, (m,) each: the name of the column that has most to do with it,
            what the row has there, and what was expected, in the units of the data; and so for the next two columns.

        Raises:
            UserError: the action gives no reasons, as all but ``"score"``, or rows have no columns.
        """
        values = self._values(x)
        out = self._applied(action, values, "x")
        if not isinstance(out, Columns) or out.reasons is None or values.ndim != 2:
            raise UserError(f"{action}: gives no reasons; allowed: score, of a table")
        names = self.data.feature_names or tuple(map(str, range(values.shape[1])))
        columns = self.data.columns or tuple(Column(name, at) for at, name in enumerate(names))
        return reasons(out, values, columns, self.data.reading.dates if self.data.reading else ())

    def sample(
        self,
        rows: int,
        seed: int = 0,
        *,
        given: Mapping[str, Any] = {},
        noise: float | None = None,
        unique: Sequence[str] = (),
    ) -> np.ndarray:
        """New rows, in the units of the data: codes that the config's task draws, decoded: (rows, *feature_shape).

        The arguments are those of `aejax.runs.apply.sample`.

        Raises:
            UserError: the task draws none, as all but generation.
        """
        return apply.sample(self._trained(), jax.random.key(seed), rows, given=given, noise=noise, unique=unique)

    def loss(self, x: Any) -> dict[str, float]:
        """The loss of rows as in training, each of its terms, and the mean squared error of their scaled values."""
        if self.measure is None:
            raise UserError("loss: a net that was opened from a folder knows no loss; allowed: a net from aejax.fit")
        rows = self._rows(x)
        if rows.mask is not None and not self.model.takes_missing:
            rows = rows._replace(x=np.where(rows.mask, rows.x, self.data.means))
        return dict(self.measure(on_device(rows, self.data)))

    def save(self, folder: str | Path) -> Path:
        """Write the parameters and the scaling of the data into a new folder, which `aejax.open` reads; its path.

        ``aejax apply`` reads the folder too where the net is of a config, or a constructor of aejax made its model; for
        any other, `aejax.open` needs the same model again.

        Raises:
            UserError: the folder is not empty, or cannot be written.
        """
        folder = path_of(folder)
        try:
            if folder.exists() and (not folder.is_dir() or is_used(folder)):
                raise UserError(f"{folder}: is not empty; allowed: a new folder")
            if self.config is not None:
                write_atomic(folder / workdir.CONFIG, configs.dumps(self.config))
            return self.write(folder)
        except OSError as error:
            raise UserError(f"{folder}: {error.strerror or error}; allowed: a folder that can be written") from error

    def export(self, path: str | Path, format: str = "numpy") -> Path:
        """Write the net for use without aejax, rows of the file in and answers out, in a new folder; its path.

        Encoder, decoder and the whole net go along, and what its task does with new rows, as ``aejax export`` says.

        Args:
            path: of the folder; of the file of the format ``"html"``.
            format: one of `aejax.export.FORMATS`.

        Raises:
            UserError: there is no such format, there is something at the path, or the net cannot be traced.
        """
        path, data, trained = path_of(path), self.data, self._trained()
        about = exported.about(Path(data.source)) if data.source == data.name else {}  # as `open_folder` leaves them
        if (about.get("data") or {}).get("name") is None:
            numbers = {name: self.summary.get(name, {}) for name in ("metrics", "baselines")}
            names = {"name": data.name, "source": data.source, "licence": data.licence}
            about = {"data": names, **numbers, "versions": workdir.versions()}
        exported.write(trained, path, format, about)
        return path

    def write(self, folder: Path) -> Path:
        """Write the net and its history into a folder, whatever else is there; the folder."""
        write_json(folder / workdir.HISTORY, {name: values.tolist() for name, values in self.history.items()})
        settings = self._settings()
        linked = bool(self.data.columns) and "natural" in outline(self.model).extra
        artifact.save(folder / workdir.MODEL, self.params, self.data, settings, linked=linked)
        if self.kept is not None:
            checkpoint.save(folder / workdir.KEPT, 0, self.kept.tree, keep=1, info=self.kept.info)
        checksums.write(folder, [*workdir.WRITTEN, workdir.HISTORY], {})
        return folder

    def __reduce__(self) -> tuple[Any, ...]:
        """Of a net that a config made, what makes it again, for joblib and copies; its loss is left behind."""
        if self.config is None:
            raise TypeError("a net whose model was made in Python cannot be pickled; Fitted.save writes it")
        params = jax.tree.map(np.asarray, self.params)
        kept = self.kept and Kept(nested(named_arrays(self.kept.tree)), self.kept.info)
        return _again, (params, kept, self.data, dict(self.history), dict(self.summary), self.config)

    def __repr__(self) -> str:
        from aejax.models import summary

        return summary(self.model, self.params)

    def _rows(self, x: Any) -> Split:
        start, shape = self.data.origin, tuple(self.data.feature_shape)
        channels = self.data.reading and self.data.reading.channels
        if self.data.documents and is_texts(x):
            rows = Split(new_rows(x, self.data.feature_names, self.data.documents))
        elif hasattr(x, "columns") and self.data.feature_names:
            rows = rows_of_frame(x, self.data, "x")
        else:
            rows = as_rows(x, "x", start=start, channels=channels, is_log=self.data.log)
        if np.any(start) and (np.abs(rows.x) > np.abs(rows.x + start)).all(0)[np.flatnonzero(start)].any():
            line = (
                "is counted from Dataset.origin; allowed: values of the file, such as dataset.train.x + dataset.origin"
            )
            raise UserError(f"x: a column {line}")
        if rows.x.shape[1:] not in (shape, (prod(shape),)):
            raise UserError(f"x: rows of shape {rows.x.shape[1:]}; allowed: {shape}")
        if rows.mask is not None and not self.model.takes_missing and self.data.means is None:
            raise UserError("x: has missing values, and this net takes none; allowed: whole rows")
        fold = lambda values: values if values is None else values.reshape(-1, *shape)
        return rows._replace(x=fold(rows.x), mask=fold(rows.mask))

    def _values(self, x: Any) -> Any:
        rows = self._rows(x).x
        return original(rows, self.data.origin, self.data.log)

    def _applied(self, action: str, rows: np.ndarray, what: str) -> np.ndarray:
        return apply.apply(self._trained(), action, rows, where=what)

    def _settings(self) -> dict[str, Any] | None:
        """The component of aejax that makes the model; None of any other."""
        plain, name, arguments = self.model.made or (None, "", ())
        return {"name": name, **dict(arguments)} if plain == self.model._replace(made=None) else None

    def _trained(self) -> artifact.Trained:
        scaling, info = {"shift": self.data.shift, "scale": self.data.scale}, artifact.info_of(self.data)
        settings = (self.config or {}).get("model") or self._settings() or {}
        about = {"config": self.config or {}, "kept": self.kept}
        return artifact.Trained(self.model, self.params, scaling, info, settings, apply.ACTIONS, **about)


def _again(params: Params, kept: Kept | None, data: Dataset, history: Any, summary: Any, config: Any) -> Fitted:
    model = build_model(config["model"], data.feature_shape, data.columns)
    return Fitted(model, params, data, history, summary=summary, config=config, kept=kept)


def open_folder(folder: str | Path, model: Model | None = None, *, trust: bool = False) -> Fitted:
    """The trained net of a run's folder, or of one that `Fitted.save` wrote; nothing that the folder names is called.

    Args:
        folder: of a finished run, or of `Fitted.save`.
        model: where the net was made in Python and no constructor of aejax made its model: the same model again.
        trust: whether the folder may name a model from outside aejax, where no run of this user left it.

    Raises:
        UserError: there is no such net, it is damaged, or it is of another model.
    """
    folder = path_of(folder)
    if not isinstance(model, Model | None):
        raise UserError(f"model: expected an aejax Model, got {shown(model)}; allowed: the model that was trained")
    trained = apply.load(folder, trust=trust, model=model)
    shape = tuple(trained.info["feature_shape"])
    data = Dataset(
        name=str(folder),
        train=None,
        validation=None,
        test=None,
        feature_shape=shape,
        kind="image" if len(shape) == 3 else "table",
        range=Range(),
        label_names=(),
        feature_names=tuple(trained.info["feature_names"]),
        licence="",
        source=str(folder),
        columns=artifact.columns_of(trained.info),
        reading=artifact.reading_of(trained.info),
        origin=artifact.origin_of(trained.info),
        log=artifact.log_of(trained.info),
        means=artifact.means_of(trained.info),
        documents=artifact.documents_of(trained.info),
        **trained.scaling,
    )
    checksums.check(folder, workdir.METRICS, workdir.FINISHED, workdir.HISTORY)
    rows = workdir.read_metrics(folder)
    history = {name: np.array([row[name] for row in rows]) for name in rows[0]} if rows else {}
    if (folder / workdir.HISTORY).exists():
        stored = workdir.read_json(folder / workdir.HISTORY, Named(Many(float)))
        history = {name: np.array([float(v) if v in NOT_FINITE else v for v in each]) for name, each in stored.items()}
    summary = workdir.read_json(folder / workdir.FINISHED) if (folder / workdir.FINISHED).exists() else {}
    kept = apply.kept_of(trained)
    kept = kept and Kept(nested(kept.tree), kept.info)
    about = {"summary": summary, "config": trained.config or None, "kept": kept}
    return Fitted(trained.model, trained.params, data, history, **about)


def path_of(folder: Any) -> Path:
    """A folder that a person names.

    Raises:
        UserError: it is no path.
    """
    if not isinstance(folder, str | Path):
        raise UserError(f"folder: expected a path, got {shown(folder)}")
    return Path(folder)
