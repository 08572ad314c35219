//! Status as telemetry, requests as Commands.
