"""The classes of the sample, with the identifiers and the hierarchy that Open Images gives them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Node:
    """A class: its machine identifier, its display name and the classes below it."""

    mid: str
    name: str
    children: tuple["Node", ...] = ()

    def walk(self) -> tuple["Node", ...]:
        """The node itself and all nodes below it, parents first."""
        return (self, *(below for child in self.children for below in child.walk()))


# MIDs, names and nesting as in v5/class-descriptions-boxable.csv and 2018_04/bbox_labels_600_hierarchy.json.
ENTITY: Final = Node(
    "/m/0bl9f",
    "Entity",
    (
        Node(
            "/m/02wbm",
            "Food",
            (
                Node("/m/02xwb", "Fruit", (Node("/m/09k_b", "Lemon"),)),
                Node("/m/0284d", "Dairy", (Node("/m/01nkt", "Cheese"),)),
                Node("/m/052lwg6", "Baked goods", (Node("/m/09728", "Bread"),)),
            ),
        ),
        Node(
            "/m/03_wxk",
            "Kitchenware",
            (Node("/m/04brg2", "Tableware", (Node("/m/050gv4", "Plate"), Node("/m/02jvh9", "Mug"))),),
        ),
        Node(
            "/m/05y5lj",
            "Sports equipment",
            (Node("/m/018xm", "Ball", (Node("/m/05ctyq", "Tennis ball"),)),),
        ),
    ),
)

MID: Final = {node.name: node.mid for node in ENTITY.walk()}
PARENT: Final = {child.name: node.name for node in ENTITY.walk() for child in node.children}
SUBJECTS: Final = ("Lemon", "Cheese")
