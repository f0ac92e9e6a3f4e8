from .codes import labels as labels
from .codes import parse_contexts as parse_contexts
from .codes import parse_tokens as parse_tokens
from .categories import categorical as categorical
from .concepts import ConceptModel as ConceptModel
from .concepts import chain as chain
from .concepts import from_tables as from_tables
from .concepts import independent as independent
from .concepts import random_dag as random_dag
from .contexts import complete as complete
from .contexts import fraction as fraction
from .contexts import hold_out as hold_out
from .contexts import known as known
from .contexts import part as part
from .contexts import world as world
from .network import load_network as load_network
from .network import read_bif as read_bif
from .network import write_bif as write_bif
from .tokens import affine_rank as affine_rank
from .tokens import token_fraction as token_fraction
from .tokens import token_list as token_list
from .truth import World as World
from .truth import conditional as conditional
from .truth import distinct as distinct
from .truth import entropy as entropy
from .truth import log_odds as log_odds

__all__: list[str]
