"""What the five papers print: how many rows and numbers each table has, and where it stands in the extracted texts.

The counts were made from the papers, not from the study files, so that a difference finds a mistake in either.
"""

from dataclasses import dataclass

TEXTS = {
    "iou_net": "iou_net.txt",
    "iou_aware": "iou_aware_rcnn_hl_sampling.txt",
    "dir": "dir_decoupled_iou_regression.txt",
    "iou_balanced": "iou_balanced_losses.txt",
    "paa": "paa_probabilistic_anchor_assignment.txt",
}


@dataclass(frozen=True)
class Printed:
    """A table, or the numbers that caption and text print of a figure."""

    rows: int
    """0: a figure, whose rows are the study's choice"""
    numbers: int
    start: str = ""
    end: str = ""
    """It stands between these words of the text; a figure that prints no numbers stands nowhere."""
    strides: tuple[int, ...] = (1,)
    """How far apart the numbers of a row stand: n where the text goes through n rows column by column."""
    beside: tuple[float, ...] | None = ()
    """Decimals between those words that are no results; None: the scan is too smudged to tell."""


PRINTED = {
    "iou_net/table1": Printed(9, 9 * 6, "+Soft-NMS +IoU-NMS AP", "Fig. 7: Recall"),
    "iou_net/table2": Printed(6, 6 * 6, "old (e.g., 0.8).", "Table 2: The"),
    "iou_net/table3": Printed(8, 8 * 6, "Backbone Method +IoU-NMS", "Speed (sec./image)"),
    "iou_net/table4": Printed(4, 4, "Speed (sec./image)", "2.1%). The inference"),
    "iou_net/figure2": Printed(0, 2, "bounding boxes having an IoU (> 0.5)", "To resolve the issue"),
    "iou_net/figure3": Printed(0, 0),
    "iou_net/figure4": Printed(0, 0),
    "iou_net/figure7": Printed(0, 3, "In particular, the recall", "4.2 Optimization-based"),
    "iou_aware/table1": Printed(4, 4 * 6, "Table 1. Results", "(2) Number of Samples"),
    "iou_aware/table2": Printed(3, 3 * 6, "Table 2. The impact", "We analyze this"),
    "iou_aware/table3": Printed(9, 9 * 6, "Table 3. Detailed", "At inference, the IoU", strides=(1, 2)),
    "iou_aware/table4": Printed(6, 6, "Table 4. Inference", "(2) The effect on soft-NMS"),
    "iou_aware/table5": Printed(
        12, 12, "Table 5. The effect", "NMS starts with", beside=(1.3, 1.6, 1.4, 1.3, 1.5, 1.3)
    ),  # differences in brackets
    "iou_aware/table6": Printed(4, 4 * 7, "Table 6. Detection", "4.5. Comparison", strides=(2,)),
    "iou_aware/table7": Printed(
        5, 5 * 6, "smaller score_thr of 0.001, resulting", "(2) Comparisons on COCO", strides=(2, 3)
    ),
    "iou_aware/table8": Printed(
        24, 24 * 6, "train the detector and soft-NMS is employed", "5. Conclusions", strides=(11, 9, 4)
    ),
    "dir/table1": Printed(12, 3 * (6 + 6 + 2 + 6), "Table 1: Comparison", "Table 2: Comparison"),
    "dir/table2": Printed(6, 6 * 6, "Table 2: Comparison", "Compared With Baselines"),
    "dir/table3": Printed(6, 6 * 7 - 1, "Table 3: Ablation", "Table 4: The influence"),
    "dir/table4": Printed(5, 5 * 3, "Table 4: The influence", "Table 5: Influence"),
    "dir/table5": Printed(6, 6 * 3, "Table 5: Influence", "with predicting Purity and Integrity"),
    "dir/table6": Printed(14, 14 * 6 - 4, "Table 6: Comparison", "Figure 5: The"),
    "dir/figure2": Printed(0, 0),
    "dir/figure4": Printed(0, 4, "in Figure 4, the classification score", "We also conduct experiments"),
    "iou_balanced/table1": Printed(21, 21 * 6, "Model Backbone Schedule", "Table 1: Comparison"),
    "iou_balanced/table2": Printed(4, 4 * 10, "IoU-Cls IoU-Loc AP", "Table 2: The"),
    "iou_balanced/table3": Printed(
        10,
        10,
        "η AP λ",
        "Table 3: The",
        beside=(1.0, 1.4, 1.5, 1.6, 0.5, 1.0, 1.5, 1.8, 1.0, 1.575, 2.226, 3.049, 3.649),
    ),  # settings: η, λ and w_loc
    "iou_balanced/table4": Printed(8, 8 * 10, "method Backbone AP", "Table 4: The"),
    "iou_balanced/table5": Printed(10, 10 * 6, "Model Backbone AP AP50 AP60", "Table 5: Exp"),
    "iou_balanced/table6": Printed(4, 4 * 6, "Model Backbone AP AP50 AP75", "Table 6: Exp"),
    "iou_balanced/table7": Printed(4, 4 * 10, "Table 6: Exp", "Table 7: The"),
    "iou_balanced/figure2": Printed(0, 0),
    "iou_balanced/figure3": Printed(0, 6, "Average classification scores of detections", "relative to the baseline"),
    "paa/table1_left": Printed(10, 9 * 3, "Table 1: Ablation", "4.1 Training", beside=None),  # one training failed
    "paa/table1_right": Printed(8, 8 * 3, "Table 1: Ablation", "4.1 Training", beside=None),
    "paa/table2_left": Printed(4, 3 * 6 + 3, "both methods show worse", "Table 2: Left"),
    "paa/table2_right": Printed(4, 4, "both methods show worse", "Table 2: Left"),
    "paa/table3": Printed(24, 24 * 6, "Method\tBackbone\tAP", "Table 3: Results"),
    "paa/table4_topk": Printed(4, 4 * 3, "Table 4: Ablation", "Image ID"),
    "paa/table4_scale": Printed(4, 4 * 3, "Table 4: Ablation", "Image ID"),
    "paa/figure4b": Printed(0, 2, "(individual values", "more accurate localization"),
}

TORN = {
    # AP first, then (AP90, AP70, AP50) row by row, then the two columns that are left.
    "iou_net/table2": (
        *(f"{row}:AP" for row in range(6)),
        *(f"{row}:AP90 AP70 AP50" for row in range(6)),
        *(f"{row}:AP80" for row in range(6)),
        *(f"{row}:AP60" for row in range(6)),
    ),
    # Each row in an order of its own, without its AP and most without their AP80; then those two columns.
    "iou_net/table3": (
        "0:AP90 AP70 AP60 AP50",
        "1:AP90 AP50 AP60 AP70",
        "2:AP60 AP50 AP90 AP70",
        "3:AP60 AP70 AP80 AP90 AP50",
        "4:AP90 AP50 AP60 AP70",
        "5:AP90 AP50 AP60 AP70",
        "6:AP60 AP50 AP90 AP70",
        "7:AP60 AP70 AP80 AP90 AP50",
        *(f"{row}:AP" for row in range(8)),
        *(f"{row}:AP80" for row in (0, 1, 2, 4, 5, 6)),
    ),
}
"""Tables whose rows the extraction tore apart: the order in which their numbers stand, `row: metrics`."""

MISREAD = {
    # The first row's AP90 was put before it.
    "iou_net/table1": {"fpn": ((9.8, 36.4, 58.0, 53.1, 44.9, 31.2), (36.4, 58.0, 53.1, 44.9, 31.2, 9.8))},
    "paa/table1_left": {
        # The scan is smudged; a second layer has "20 5 E0 0 49.7". 39.5 is what both first numbers can be.
        "fnp_5": ((59.5, 58.0, 42.7), (39.5, 58.0, 42.7)),
        # The second layer has "00.0 20.5 05.0".
        "fsr_01": ((23.8, 38.0, 23.2), (23.8, 38.5, 25.2)),
    },
    # The second layer has "30.0 50.1 128".
    "paa/table1_right": {"paa": ((39.9, 59.1, 42.0), (39.9, 59.1, 42.8))},
}
"""Rows in which the extraction erred: what stands there, and what must have been printed."""
