"""`ops verify`: whether a running environment is what its stack declares, as the nodes themselves say."""
