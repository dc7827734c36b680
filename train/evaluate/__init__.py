"""How good detector and reader are, alone and together, with the code that ships: ``plate-train evaluate``.

- ``data``: manifests and CSV files to samples; ``slices``: which groups a plate belongs to
- ``figures``: rates with their intervals; ``curves``: calibration, abstaining, precision over recall
- ``boxes``, ``reads``, ``photographs``, ``clips``: the four parts, each pure over what the models gave
- ``run``: pictures through the models; ``report``: evaluation.json; ``show``, ``plots``, ``sheets``: for people
"""
