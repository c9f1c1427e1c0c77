from ptyrun.door.all_stages import Outcome as Outcome
from ptyrun.door.comparing import compare as compare
from ptyrun.door.comparing import plan as plan
from ptyrun.door.evaluating import evaluate as evaluate
from ptyrun.door.job import Job as Job
from ptyrun.door.opening import open_reconstruction as open_reconstruction
from ptyrun.door.opening import open_run as open_run
from ptyrun.door.opening import open_scan as open_scan
from ptyrun.door.run import Run as Run
from ptyrun.errors import PtyrunError as PtyrunError
from ptyrun.ptycho.metrics.evaluation import Evaluation as Evaluation

__version__: str
__all__: list[str]
