"""What the anchors of a detector make of boxes: the matcher, exactly, its reach, random crops, better anchors."""
