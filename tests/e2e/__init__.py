"""The product as its users meet it: images, chart, kubectl and predictions on a real cluster.

`python -m e2e` (`make e2e`) brings a cluster, builds the images, takes them in, runs the tests of this folder and takes
all away again. The tests know of the cluster what the environment says (see `clusters`).
"""
