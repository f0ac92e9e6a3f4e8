from .factors import balanced_factors as balanced_factors
from .factors import factor_geometry as factor_geometry
from .gauge import regauge as regauge
from .limits import predict as predict
from .limits import predict_world as predict_world
from .log_odds import agreement as agreement
from .log_odds import predicted_log_odds as predicted_log_odds
from .max_margin import hard_margin as hard_margin
from .next_token_svm import next_token_margin as next_token_margin
from .next_token_svm import settling_constant as settling_constant
from .nuclear_norm import nuclear_norm_limit as nuclear_norm_limit
from .order import Modes as Modes
from .order import first_modes as first_modes
from .order import steps_to_length as steps_to_length
from .prediction import Prediction as Prediction
from .prediction import prediction_rows as prediction_rows
from .price import Price as Price
from .price import price_of_linearity as price_of_linearity
from .ridge import ridge_path as ridge_path
from .symmetric import symmetric_limit as symmetric_limit
from .width import LeastExcess as LeastExcess
from .width import least_excess as least_excess

__all__: list[str]
