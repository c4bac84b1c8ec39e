"""What the registers show of how a machine was built, and the machine that registers show."""

from golden.formats import FLOAT_FORMATS
from hw.contract.config import JOBS_UNDER_WAY, PARAMETERS, Config
from hw.contract.job_codes import FORMAT_CODES

from .codes import Rounding
from .map import BUILD, IDENTIFICATION, REGISTER, VERSION


def build_values(config):
    """Return what each register of `BUILD` reads in a machine, by the register's name.

    Parameters
    ----------
    config : Config

    Returns
    -------
    dict of str to int
    """
    coded = {
        "ID": IDENTIFICATION, "VERSION": VERSION, "JOB_SLOTS": JOBS_UNDER_WAY,
        "FORMATS": sum(1 << FORMAT_CODES[name] for name in config.float_formats),
        "OUTPUTS": REGISTER["OUTPUTS"].pack(
            formats=sum(1 << output.value for output in config.outputs),
            vector_lanes=config.vector_lanes),
        "ROUNDING": Rounding[config.rounding.upper()].value,
    }
    return {register.name: coded[register.name] if register.name in coded
            else getattr(config, register.name.lower()) for register in BUILD}


def build_config(values):
    """Make the configuration of a machine from what its registers read.

    Parameters
    ----------
    values : dict of str to int
        By the registers' names, as from `hw.host.driver.Driver.identify`.

    Returns
    -------
    Config
        Its `float_formats` in the order of `golden.formats.FLOAT_FORMATS`.
    """
    outputs = REGISTER["OUTPUTS"].unpack(values["OUTPUTS"])
    numbers = {name: outputs.get(name, values.get(name.upper()))
               for name, parameter in PARAMETERS.items() if parameter.is_number}
    formats = tuple(name for name in FLOAT_FORMATS if values["FORMATS"] >> FORMAT_CODES[name] & 1)
    return Config(float_formats=formats, rounding=Rounding(values["ROUNDING"]).name.lower(),
                  **numbers)
