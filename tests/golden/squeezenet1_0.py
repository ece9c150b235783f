"""squeezenet1_0: 66 operators on 2 workers, 36.18 ms predicted with flops costs.

Written by Ramiel. `w` holds the weights by name; `receive` waits for another
worker's value, `send` hands one over through shared memory, `shared` is the
buffer there of a value that is computed in place.
"""

import torch
import torch.nn.functional as F


def cluster_0(w, receive, send, shared):
    """50 operators, 36.14 ms of computing."""

    # features
    x = receive("x")
    features_0 = F.conv2d(
        x, w["features.0.weight"], w["features.0.bias"], (2, 2), (0, 0), (1, 1), 1
    )
    del x
    features_1 = F.relu(features_0, inplace=True)
    del features_0
    features_2 = F.max_pool2d(features_1, 3, 2, 0, 1, ceil_mode=True)
    del features_1
    features_3_squeeze = F.conv2d(
        features_2, w["features.3.squeeze.weight"], w["features.3.squeeze.bias"], (1, 1), (0, 0),
        (1, 1), 1
    )
    del features_2
    features_3_squeeze_activation = torch.clamp_min(
        features_3_squeeze, 0, out=shared("features_3_squeeze_activation")
    )
    send("features_3_squeeze_activation", features_3_squeeze_activation)  # to cluster 1
    del features_3_squeeze
    features_3_expand3x3 = F.conv2d(
        features_3_squeeze_activation, w["features.3.expand3x3.weight"],
        w["features.3.expand3x3.bias"], (1, 1), (1, 1), (1, 1), 1
    )
    del features_3_squeeze_activation
    features_3_expand3x3_activation = torch.clamp_min(
        features_3_expand3x3, 0, out=shared("features_3_expand3x3_activation")
    )
    del features_3_expand3x3
    features_3_expand1x1_activation = receive("features_3_expand1x1_activation")  # from cluster 1
    cat = shared("cat")  # where its parts were written
    del features_3_expand3x3_activation, features_3_expand1x1_activation
    features_4_squeeze = F.conv2d(
        cat, w["features.4.squeeze.weight"], w["features.4.squeeze.bias"], (1, 1), (0, 0), (1, 1), 1
    )
    del cat
    features_4_squeeze_activation = torch.clamp_min(
        features_4_squeeze, 0, out=shared("features_4_squeeze_activation")
    )
    send("features_4_squeeze_activation", features_4_squeeze_activation)  # to cluster 1
    del features_4_squeeze
    features_4_expand3x3 = F.conv2d(
        features_4_squeeze_activation, w["features.4.expand3x3.weight"],
        w["features.4.expand3x3.bias"], (1, 1), (1, 1), (1, 1), 1
    )
    del features_4_squeeze_activation
    features_4_expand3x3_activation = torch.clamp_min(
        features_4_expand3x3, 0, out=shared("features_4_expand3x3_activation")
    )
    del features_4_expand3x3
    features_4_expand1x1_activation = receive("features_4_expand1x1_activation")  # from cluster 1
    cat_1 = shared("cat_1")  # where its parts were written
    del features_4_expand3x3_activation, features_4_expand1x1_activation
    features_5_squeeze = F.conv2d(
        cat_1, w["features.5.squeeze.weight"], w["features.5.squeeze.bias"], (1, 1), (0, 0), (1, 1),
        1
    )
    del cat_1
    features_5_squeeze_activation = torch.clamp_min(
        features_5_squeeze, 0, out=shared("features_5_squeeze_activation")
    )
    send("features_5_squeeze_activation", features_5_squeeze_activation)  # to cluster 1
    del features_5_squeeze
    features_5_expand3x3 = F.conv2d(
        features_5_squeeze_activation, w["features.5.expand3x3.weight"],
        w["features.5.expand3x3.bias"], (1, 1), (1, 1), (1, 1), 1
    )
    del features_5_squeeze_activation
    features_5_expand3x3_activation = torch.clamp_min(
        features_5_expand3x3, 0, out=shared("features_5_expand3x3_activation")
    )
    del features_5_expand3x3
    features_5_expand1x1_activation = receive("features_5_expand1x1_activation")  # from cluster 1
    cat_2 = shared("cat_2")  # where its parts were written
    del features_5_expand3x3_activation, features_5_expand1x1_activation
    features_6 = F.max_pool2d(cat_2, 3, 2, 0, 1, ceil_mode=True)
    del cat_2
    features_7_squeeze = F.conv2d(
        features_6, w["features.7.squeeze.weight"], w["features.7.squeeze.bias"], (1, 1), (0, 0),
        (1, 1), 1
    )
    del features_6
    features_7_squeeze_activation = torch.clamp_min(
        features_7_squeeze, 0, out=shared("features_7_squeeze_activation")
    )
    send("features_7_squeeze_activation", features_7_squeeze_activation)  # to cluster 1
    del features_7_squeeze
    features_7_expand3x3 = F.conv2d(
        features_7_squeeze_activation, w["features.7.expand3x3.weight"],
        w["features.7.expand3x3.bias"], (1, 1), (1, 1), (1, 1), 1
    )
    del features_7_squeeze_activation
    features_7_expand3x3_activation = torch.clamp_min(
        features_7_expand3x3, 0, out=shared("features_7_expand3x3_activation")
    )
    del features_7_expand3x3
    features_7_expand1x1_activation = receive("features_7_expand1x1_activation")  # from cluster 1
    cat_3 = shared("cat_3")  # where its parts were written
    del features_7_expand3x3_activation, features_7_expand1x1_activation
    features_8_squeeze = F.conv2d(
        cat_3, w["features.8.squeeze.weight"], w["features.8.squeeze.bias"], (1, 1), (0, 0), (1, 1),
        1
    )
    del cat_3
    features_8_squeeze_activation = torch.clamp_min(
        features_8_squeeze, 0, out=shared("features_8_squeeze_activation")
    )
    send("features_8_squeeze_activation", features_8_squeeze_activation)  # to cluster 1
    del features_8_squeeze
    features_8_expand3x3 = F.conv2d(
        features_8_squeeze_activation, w["features.8.expand3x3.weight"],
        w["features.8.expand3x3.bias"], (1, 1), (1, 1), (1, 1), 1
    )
    del features_8_squeeze_activation
    features_8_expand3x3_activation = torch.clamp_min(
        features_8_expand3x3, 0, out=shared("features_8_expand3x3_activation")
    )
    del features_8_expand3x3
    features_8_expand1x1_activation = receive("features_8_expand1x1_activation")  # from cluster 1
    cat_4 = shared("cat_4")  # where its parts were written
    del features_8_expand3x3_activation, features_8_expand1x1_activation
    features_9_squeeze = F.conv2d(
        cat_4, w["features.9.squeeze.weight"], w["features.9.squeeze.bias"], (1, 1), (0, 0), (1, 1),
        1
    )
    del cat_4
    features_9_squeeze_activation = torch.clamp_min(
        features_9_squeeze, 0, out=shared("features_9_squeeze_activation")
    )
    send("features_9_squeeze_activation", features_9_squeeze_activation)  # to cluster 1
    del features_9_squeeze
    features_9_expand3x3 = F.conv2d(
        features_9_squeeze_activation, w["features.9.expand3x3.weight"],
        w["features.9.expand3x3.bias"], (1, 1), (1, 1), (1, 1), 1
    )
    del features_9_squeeze_activation
    features_9_expand3x3_activation = torch.clamp_min(
        features_9_expand3x3, 0, out=shared("features_9_expand3x3_activation")
    )
    del features_9_expand3x3
    features_9_expand1x1_activation = receive("features_9_expand1x1_activation")  # from cluster 1
    cat_5 = shared("cat_5")  # where its parts were written
    del features_9_expand3x3_activation, features_9_expand1x1_activation
    features_10_squeeze = F.conv2d(
        cat_5, w["features.10.squeeze.weight"], w["features.10.squeeze.bias"], (1, 1), (0, 0), (1,
        1), 1
    )
    del cat_5
    features_10_squeeze_activation = torch.clamp_min(
        features_10_squeeze, 0, out=shared("features_10_squeeze_activation")
    )
    send("features_10_squeeze_activation", features_10_squeeze_activation)  # to cluster 1
    del features_10_squeeze
    features_10_expand3x3 = F.conv2d(
        features_10_squeeze_activation, w["features.10.expand3x3.weight"],
        w["features.10.expand3x3.bias"], (1, 1), (1, 1), (1, 1), 1
    )
    del features_10_squeeze_activation
    features_10_expand3x3_activation = torch.clamp_min(
        features_10_expand3x3, 0, out=shared("features_10_expand3x3_activation")
    )
    del features_10_expand3x3
    features_10_expand1x1_activation = receive("features_10_expand1x1_activation")  # from cluster 1
    cat_6 = shared("cat_6")  # where its parts were written
    del features_10_expand3x3_activation, features_10_expand1x1_activation
    features_11 = F.max_pool2d(cat_6, 3, 2, 0, 1, ceil_mode=True)
    del cat_6
    features_12_squeeze = F.conv2d(
        features_11, w["features.12.squeeze.weight"], w["features.12.squeeze.bias"], (1, 1), (0, 0),
        (1, 1), 1
    )
    del features_11
    features_12_squeeze_activation = torch.clamp_min(
        features_12_squeeze, 0, out=shared("features_12_squeeze_activation")
    )
    send("features_12_squeeze_activation", features_12_squeeze_activation)  # to cluster 1
    del features_12_squeeze
    features_12_expand3x3 = F.conv2d(
        features_12_squeeze_activation, w["features.12.expand3x3.weight"],
        w["features.12.expand3x3.bias"], (1, 1), (1, 1), (1, 1), 1
    )
    del features_12_squeeze_activation
    features_12_expand3x3_activation = torch.clamp_min(
        features_12_expand3x3, 0, out=shared("features_12_expand3x3_activation")
    )
    del features_12_expand3x3
    features_12_expand1x1_activation = receive("features_12_expand1x1_activation")  # from cluster 1
    cat_7 = shared("cat_7")  # where its parts were written
    del features_12_expand3x3_activation, features_12_expand1x1_activation

    # classifier
    classifier_0 = F.dropout(cat_7, 0.5, training=False)
    del cat_7
    classifier_1 = F.conv2d(
        classifier_0, w["classifier.1.weight"], w["classifier.1.bias"], (1, 1), (0, 0), (1, 1), 1
    )
    del classifier_0
    classifier_2 = F.relu(classifier_1, inplace=True)
    del classifier_1
    classifier_3 = F.adaptive_avg_pool2d(classifier_2, (1, 1))
    del classifier_2
    flatten = torch.flatten(classifier_3, 1)
    send("flatten", flatten)  # to the caller
    del classifier_3, flatten


def cluster_1(w, receive, send, shared):
    """16 operators, 1.998 ms of computing."""

    # features
    features_3_squeeze_activation = receive("features_3_squeeze_activation")  # from cluster 0
    features_3_expand1x1 = F.conv2d(
        features_3_squeeze_activation, w["features.3.expand1x1.weight"],
        w["features.3.expand1x1.bias"], (1, 1), (0, 0), (1, 1), 1
    )
    del features_3_squeeze_activation
    features_3_expand1x1_activation = torch.clamp_min(
        features_3_expand1x1, 0, out=shared("features_3_expand1x1_activation")
    )
    send("features_3_expand1x1_activation", features_3_expand1x1_activation)  # to cluster 0
    del features_3_expand1x1, features_3_expand1x1_activation
    features_4_squeeze_activation = receive("features_4_squeeze_activation")  # from cluster 0
    features_4_expand1x1 = F.conv2d(
        features_4_squeeze_activation, w["features.4.expand1x1.weight"],
        w["features.4.expand1x1.bias"], (1, 1), (0, 0), (1, 1), 1
    )
    del features_4_squeeze_activation
    features_4_expand1x1_activation = torch.clamp_min(
        features_4_expand1x1, 0, out=shared("features_4_expand1x1_activation")
    )
    send("features_4_expand1x1_activation", features_4_expand1x1_activation)  # to cluster 0
    del features_4_expand1x1, features_4_expand1x1_activation
    features_5_squeeze_activation = receive("features_5_squeeze_activation")  # from cluster 0
    features_5_expand1x1 = F.conv2d(
        features_5_squeeze_activation, w["features.5.expand1x1.weight"],
        w["features.5.expand1x1.bias"], (1, 1), (0, 0), (1, 1), 1
    )
    del features_5_squeeze_activation
    features_5_expand1x1_activation = torch.clamp_min(
        features_5_expand1x1, 0, out=shared("features_5_expand1x1_activation")
    )
    send("features_5_expand1x1_activation", features_5_expand1x1_activation)  # to cluster 0
    del features_5_expand1x1, features_5_expand1x1_activation
    features_7_squeeze_activation = receive("features_7_squeeze_activation")  # from cluster 0
    features_7_expand1x1 = F.conv2d(
        features_7_squeeze_activation, w["features.7.expand1x1.weight"],
        w["features.7.expand1x1.bias"], (1, 1), (0, 0), (1, 1), 1
    )
    del features_7_squeeze_activation
    features_7_expand1x1_activation = torch.clamp_min(
        features_7_expand1x1, 0, out=shared("features_7_expand1x1_activation")
    )
    send("features_7_expand1x1_activation", features_7_expand1x1_activation)  # to cluster 0
    del features_7_expand1x1, features_7_expand1x1_activation
    features_8_squeeze_activation = receive("features_8_squeeze_activation")  # from cluster 0
    features_8_expand1x1 = F.conv2d(
        features_8_squeeze_activation, w["features.8.expand1x1.weight"],
        w["features.8.expand1x1.bias"], (1, 1), (0, 0), (1, 1), 1
    )
    del features_8_squeeze_activation
    features_8_expand1x1_activation = torch.clamp_min(
        features_8_expand1x1, 0, out=shared("features_8_expand1x1_activation")
    )
    send("features_8_expand1x1_activation", features_8_expand1x1_activation)  # to cluster 0
    del features_8_expand1x1, features_8_expand1x1_activation
    features_9_squeeze_activation = receive("features_9_squeeze_activation")  # from cluster 0
    features_9_expand1x1 = F.conv2d(
        features_9_squeeze_activation, w["features.9.expand1x1.weight"],
        w["features.9.expand1x1.bias"], (1, 1), (0, 0), (1, 1), 1
    )
    del features_9_squeeze_activation
    features_9_expand1x1_activation = torch.clamp_min(
        features_9_expand1x1, 0, out=shared("features_9_expand1x1_activation")
    )
    send("features_9_expand1x1_activation", features_9_expand1x1_activation)  # to cluster 0
    del features_9_expand1x1, features_9_expand1x1_activation
    features_10_squeeze_activation = receive("features_10_squeeze_activation")  # from cluster 0
    features_10_expand1x1 = F.conv2d(
        features_10_squeeze_activation, w["features.10.expand1x1.weight"],
        w["features.10.expand1x1.bias"], (1, 1), (0, 0), (1, 1), 1
    )
    del features_10_squeeze_activation
    features_10_expand1x1_activation = torch.clamp_min(
        features_10_expand1x1, 0, out=shared("features_10_expand1x1_activation")
    )
    send("features_10_expand1x1_activation", features_10_expand1x1_activation)  # to cluster 0
    del features_10_expand1x1, features_10_expand1x1_activation
    features_12_squeeze_activation = receive("features_12_squeeze_activation")  # from cluster 0
    features_12_expand1x1 = F.conv2d(
        features_12_squeeze_activation, w["features.12.expand1x1.weight"],
        w["features.12.expand1x1.bias"], (1, 1), (0, 0), (1, 1), 1
    )
    del features_12_squeeze_activation
    features_12_expand1x1_activation = torch.clamp_min(
        features_12_expand1x1, 0, out=shared("features_12_expand1x1_activation")
    )
    send("features_12_expand1x1_activation", features_12_expand1x1_activation)  # to cluster 0
    del features_12_expand1x1, features_12_expand1x1_activation


def result(flatten):
    """What the model returns, of the values sent to the caller."""
    return flatten
