"""DeepCausalMMM as its README has it: default configuration, 12 % of weeks held out.

python run_deepcausalmmm.py FOLDER
"""

import numpy as np
import torch
from deepcausalmmm.core import get_default_config
from deepcausalmmm.core.data import UnifiedDataPipeline
from deepcausalmmm.core.trainer import ModelTrainer
from exchange import answer_all, panel, rows


def fit(X, y, roles):
    # It wants at least one control.
    names = roles["controls"] or ["constant"]
    X = X.assign(constant=0.0)
    media = panel(X, roles, X[roles["media"]]).astype(np.float32)
    controls = panel(X, roles, X[names]).astype(np.float32)
    kpi = panel(X, roles, y).astype(np.float32)

    config = get_default_config()
    torch.manual_seed(config["random_seed"])
    pipeline = UnifiedDataPipeline(config)
    training, holdout = pipeline.temporal_split(media, controls, kpi)
    training = pipeline.fit_and_transform_training(training)
    holdout = pipeline.transform_holdout(holdout)
    trainer = ModelTrainer(config)
    model = trainer.create_model(
        n_media=media.shape[2], n_control=controls.shape[2], n_regions=len(media)
    )
    trainer.create_optimizer_and_scheduler()
    parts = "X_media", "X_control", "R", "y"
    trainer.train(
        *(training[part] for part in parts),
        *(holdout[part] for part in parts),
        pipeline=pipeline,
        verbose=False,
    )
    result = pipeline.predict_and_postprocess(
        model, media, controls, roles["media"], names
    )
    # Contributions times prediction_scale times the mean KPI of the region are in KPI
    # units and add up to the prediction.
    contributions = pipeline.get_scaler().inverse_transform_contributions(
        result["media_contributions"],
        prediction_scale=result["model_outputs"]["prediction_scale"],
    )["media"]
    return rows(X, roles, contributions.detach().numpy()), None


if __name__ == "__main__":
    answer_all("DeepCausalMMM", fit)
