"""How MLflow's table shows a study: which runs, which columns, in which order (the state of its own "share" links)."""

import json

VIEW = "locbench"
TAG = f"mlflow.sharedViewState.{VIEW}"
ADDRESS = f"viewStateShareKey={VIEW}&workflowType=machine_learning"
_METRICS = ("AP", "AP50", "AP75", "AP90", "pearson_iou_score", "ms_per_image", "gpu_hours")
_TAGS = ("source", "status", "profile")


def view_state(metric: str) -> str:
    """JSON for the experiment tag `TAG`; the address of a study's page refers to it."""
    metrics = dict.fromkeys((metric, *_METRICS))
    columns = [f"metrics.`{name}`" for name in metrics] + [f"tags.`{name}`" for name in _TAGS]
    return json.dumps(
        {
            "searchFilter": "",
            "orderByKey": f"metrics.`{metric}`",
            "orderByAsc": False,
            "selectedColumns": ["attributes.`Description`", *columns],
        }
    )
