"""A small SSD MobileNet V2, trained on shards of oidata as TFOD trains one."""
