"""The data of a study's rows, prepared once each and shared by everything under one storage."""

from pathlib import Path

from bench.config.digest import digest
from bench.data.converting.prepare import prepare
from bench.data.formats import DataConfig
from bench.data.store import Store
from bench.errors import UserError
from bench.study.definition.spec import Study
from bench.study.steps.graph import Splits
from bench.study.steps.locks import waiting_for

TRAIN, VAL = "train", "val"


def prepared_data(study: Study, root: Path) -> dict[str, Splits]:
    """Digest of a data config -> its stores; converts what is not there yet."""
    configs = {digest(row.recipe.data): row.recipe.data for row in study.rows}
    splits = {}
    for key, config in configs.items():
        name = f"{config.kind}-{key}"
        with waiting_for(root, name):
            splits[key] = _splits(config, root / "data" / name)
    return splits


def data_is_prepared(study: Study, root: Path) -> bool:
    """Whether all stores are there, so that a dry run need not make them."""
    configs = [row.recipe.data for row in study.rows]
    folders = [
        root / "data" / f"{config.kind}-{digest(config)}" / split for config in configs for split in (TRAIN, VAL)
    ]
    return all(folder.exists() for folder in folders)


def _splits(config: DataConfig, folder: Path) -> Splits:
    there = config.splits()
    for split in (TRAIN, VAL):
        if split not in there:
            raise UserError(
                f"has no split {split!r}", where=f"data {config.kind!r}", remedy=f"it has {', '.join(there)}"
            )
    train, val = (prepare(config, folder / split, split=split) for split in (TRAIN, VAL))
    if train.class_names != val.class_names:
        raise UserError("train and val have other classes", where=str(folder), remedy="give both the same class list")
    return Splits(str(train.path), str(val.path), train.fingerprint, val.fingerprint, train.num_classes)


def find_store(root: Path, fingerprints: set[str]) -> Store:
    """The store below a storage that has one of these fingerprints."""
    for path in sorted((root / "data").glob(f"*/{VAL}")):
        store = Store.open(path)
        if store.fingerprint in fingerprints:
            return store
    raise UserError("the data of these rows are not below this storage", where=str(root), remedy="run the study again")
