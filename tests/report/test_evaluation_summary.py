"""What an evaluation says in a terminal."""

import io
import re
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from oidata.core.evaluation.evaluation import LostAp
from oidata.core.evaluation.failure_verdict import failure_verdict
from oidata.evaluate import EvaluationReport
from oidata.report import evaluation_tables as tables
from oidata.report.summary import Share
from oidata.report.terminal import show

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SHOWN = """\
data/runs/new: 887 detections of Lemon, Cheese on 95 photos of train, validation, test; 116 of 229
boxes found

Against old, on 95 photos of both
 class    AP then   AP now   F1 then   F1 now   newly found   newly missed
───────────────────────────────────────────────────────────────────────────
 Lemon      0.236    0.390     0.369    0.500            29             12
 Cheese     0.259    0.447     0.450    0.583            34             21

Errors against old
 error            then   now   change
──────────────────────────────────────
 classification     32    13      -19
 localisation       34    25       -9
 both                5     2       -3
 duplicate           8    14       +6
 background         28    32       +4
 missed             82    78       -4

First causes against old
 cause                                                                      then   now   change
────────────────────────────────────────────────────────────────────────────────────────────────
 Missed: a group box                                                           5     6       +1
 Ignored: on a stripped box                                                   22    29       +7
 Ignored: in a group box                                                      13    10       -3
 Missed: occluded                                                             34    29       -5
 False positive: class never verified in the photo: maybe a missing label      4     7       +3
 Missed: starved: another box took its only anchor                             4     4        0
 Missed: no anchor: its size falls in a hole                                  25    23       -2
 Missed: no anchor but the forced one                                         16    15       -1
 Missed: found, below the score threshold                                     20    15       -5
 Missed: taken for another class                                              16     5      -11
 Missed in spite of its anchors                                               28    22       -6
 False positive: found a second time                                           8    14       +6
 False positive: beside the box                                               34    25       -9
 False positive: on a box of another class                                    37    15      -22
 False positive: on the background                                            24    25       +1

Where AP is lost (mAP at an IoU of 0.5)
 mended in this order                  gain   of what is lost   mAP then
─────────────────────────────────────────────────────────────────────────
 every box taken for one object           -                 -      0.430
 metric: the rules for group boxes   -0.011            -1.9 %      0.419
 data                                +0.063            11.0 %      0.481
 anchors and input size              +0.099            17.4 %      0.581
 training                            +0.419            73.5 %      1.000

Missed boxes: 113, by first cause
 cause                                       area       first   in all     gain
────────────────────────────────────────────────────────────────────────────────
 truncated by the edge of the photo          data           0        1    0.000
 occluded                                    data          29       42   +0.046
 starved: another box took its only anchor   anchors        4        4   +0.007
 no anchor: its size falls in a hole         anchors       23       27   +0.055
 no anchor but the forced one                anchors       15       38   +0.038
 tiny at the network's input                 anchors        0       18    0.000
 found, below the score threshold            training      15       38   +0.025
 taken for another class                     training       5       14   +0.022
 missed in spite of its anchors              training      22       22   +0.118

False positives: 86, by first cause
 cause                                                      area       first   in all     gain
───────────────────────────────────────────────────────────────────────────────────────────────
 class never verified in the photo: maybe a missing label   data           7       14   +0.016
 found a second time                                        training      14       14   +0.026
 beside the box                                             training      25       25   +0.060
 on a box of another class                                  training      15       15   +0.095
 on the background                                          training      25       25   +0.072

Neither for nor against, by the rules of Open Images V2
 what                         number
─────────────────────────────────────
 Missed: a group box               6
 Ignored: on a stripped box       29
 Ignored: in a group box          10

Average precision by each metric
 class    boxes   OI V2   OI Challenge   COCO AP50   AP50 as TFOD   COCO AP   AP as TFOD
─────────────────────────────────────────────────────────────────────────────────────────
 Lemon      128   0.390          0.430       0.389          0.394     0.293        0.299
 Cheese     101   0.447          0.510       0.456          0.468     0.347        0.355
 mean       229   0.419          0.470       0.422          0.431     0.320        0.327

Operating point (the best F1 of each class): failures are counted from this score on
 class    score from   precision   recall      F1
──────────────────────────────────────────────────
 Lemon         0.388       0.558    0.453   0.500
 Cheese        0.517       0.592    0.574   0.583

Errors after TIDE: what mAP gains if one alone were mended (these gains do not add up)
 error            number   gain alone   mAP without it   mAP if all down to it were mended
───────────────────────────────────────────────────────────────────────────────────────────
 classification       13       +0.100            0.518                               0.518
 localisation         25       +0.109            0.528                               0.638
 both                  2       +0.001            0.420                               0.640
 duplicate            14       +0.014            0.433                               0.663
 background           32       +0.047            0.465                               0.729
 missed               78       +0.144            0.562                               1.000

What each box was taken for
 box of   as Lemon   as Cheese   missed
────────────────────────────────────────
 Lemon          58           7       63
 Cheese          6          58       37
 no box         40          33        -

Found by size at the network's input
 side, px   boxes   found   recall
───────────────────────────────────
 <16           18       0    0.0 %
 16-32         33       6   18.2 %
 32-48         73      44   60.3 %
 48-64         38      20   52.6 %
 64-96         37      26   70.3 %
 96-128        22      15   68.2 %
 128-192        5       3   60.0 %
 ≥192           3       2   66.7 %

• Causes: of several the first counts; in all is how many boxes or detections each applies to. Gains
  are of mAP, one cause mended after the other: data, anchors, training, and of each the missed
  boxes first.
• Why the metrics differ: COCO's AP is a mean over IoUs up to 0.95 (at 0.75 it is 0.414); 6 group
  boxes without a detection, missed for the Challenge and TFOD's default alone; 10 detections in
  group boxes, false for TFOD's default unless the group as a whole fits; 146 detections of classes
  that nobody looked for, which the Challenge drops.
• Anchors, input size and suppression are those of ssd_mobilenet_v2_coco (a reference config, since
  none was given: name yours with --config).

Verdict: It is the hyperparameters (anchors, input size, training) more than the dataset.
mAP at an IoU of 0.5 is 0.430 if every box counts as one object: 0.570 are lost. The rules of Open
  Images for group boxes take another 0.011. Mended in this order, the data would give 0.063,
  anchors and input size 0.099, and training 0.419, which is all that no other cause explains.
First, objects missed though anchors reach them (22 boxes, +0.118 mAP): look at them, begin from a
  checkpoint, and add photos.
Then, classes that are mixed up (15 detections, +0.095 mAP): look at them, and fetch more photos
  that show both.
After that, detections on the background (25 detections, +0.072 mAP): look for objects without a
  box, and fetch --negatives.

Plots and pictures: data/runs/new/report.html
"""


def shown(evaluated: EvaluationReport) -> str:
    """The summary as a terminal of 100 columns without colours has it, whatever the directory."""
    console = Console(file=io.StringIO(), width=100, color_system=None, force_terminal=True)
    there = replace(evaluated.run, path=Path("data/runs") / evaluated.run.name)
    show(replace(evaluated, run=there).summary(), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_an_evaluation_looks_like_this(evaluated: EvaluationReport) -> None:
    """The comparison that was asked for, what is lost and why, what lies behind it, and what it comes to last."""
    assert lines(shown(evaluated)) == lines(SHOWN)


def test_the_excerpt_of_the_readme_is_of_this() -> None:
    """What the README shows of an evaluation is printed so."""
    (excerpt,) = re.findall(r"```\n(data/runs/.*?)```", README, re.DOTALL)
    for part in excerpt.split("\n…\n"):
        assert "\n".join(lines(part.strip("\n"))) in "\n".join(lines(SHOWN))


def test_the_verdict_says_no_more_than_the_numbers(evaluated: EvaluationReport) -> None:
    """Groups that change nothing are not named, few boxes are a caution, and next to no loss is no matter."""
    found = evaluated.evaluation
    without_groups = replace(found, lost=replace(found.lost, plain_ap=found.lost.ap, metric=0.0))
    assert "group boxes take another 0.011" in failure_verdict(found).text
    assert "group" not in failure_verdict(without_groups).text
    assert "This rests on only 1 box:" in failure_verdict(replace(found, num_truth=1)).text
    whole = LostAp(plain_ap=0.995, ap=0.995, lost=0.005, metric=0, data=0.005, anchors=0, training=0)
    assert failure_verdict(replace(found, lost=whole)).answer == "neither"


def test_many_classes_do_not_flood_a_terminal(evaluated: EvaluationReport) -> None:
    """Of more classes than fit side by side, those that are mixed up most often are listed, the most often first."""
    found = evaluated.evaluation
    number = 20
    classes = tuple(replace(found.v2.classes[0], display_name=f"Class {place}") for place in range(number))
    taken = [[place * (place + 1 == other) for other in range(number + 1)] for place in range(number + 1)]
    many = replace(found, v2=replace(found.v2, classes=classes), confusion=tuple(map(tuple, taken)))
    table = tables.confusion(many)
    assert len(table.columns) == 4
    assert table.rows[0] == ("Class 18", "Class 19", 18, Share(18, 18))
    assert len(table.rows) == 10
