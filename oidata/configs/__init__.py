"""Reference configs of the TensorFlow Object Detection API, as data: `oidata.io.configs` reads them."""
