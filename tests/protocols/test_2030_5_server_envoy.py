"""What we emit is read by envoy-schema, the models of the CSIP-AUS test server, which are not ours."""

import importlib
from typing import Any

import pytest
from utility_bench import AGGREGATOR, ALICE
from utility_town import town

from wattseal.protocols.ieee2030_5.server.rows import pattern_of

pytest.importorskip("envoy_schema", reason="envoy-schema is not installed: nothing was read by envoy's models")

MODELS = {
    "dcap": "device_capability.DeviceCapabilityResponse",
    "tm": "time.TimeResponse",
    "edev": "end_device.EndDeviceListResponse",
    "edev/#": "end_device.EndDeviceResponse",
    "edev/#/rg": "end_device.RegistrationResponse",
    "edev/#/fsa": "function_set_assignments.FunctionSetAssignmentsListResponse",
    "edev/#/fsa/#": "function_set_assignments.FunctionSetAssignmentsResponse",
    "edev/#/der": "der.DERListResponse",
    "edev/#/der/#": "der.DER",
    "edev/#/der/#/dercap": "der.DERCapability",
    "edev/#/der/#/derg": "der.DERSettings",
    "edev/#/der/#/ders": "der.DERStatus",
    "edev/#/der/#/dera": "der.DERAvailability",
    "edev/#/lel": "log_events.LogEventList",
    "edev/#/sub": "pub_sub.SubscriptionListResponse",
    "edev/#/sub/#": "pub_sub.Subscription",
    "derp": "der.DERProgramListResponse",
    "derp/#": "der.DERProgramResponse",
    "derp/#/derc": "der.DERControlListResponse",
    "derp/#/derc/#": "der.DERControlResponse",
    "derp/#/dderc": "der.DefaultDERControl",
    "mup": "metering_mirror.MirrorUsagePointListResponse",
    "mup/#": "metering_mirror.MirrorUsagePoint",
    "upt": "metering.UsagePointListResponse",
    "tp": "pricing.TariffProfileListResponse",
    "tp/#": "pricing.TariffProfileResponse",
    "tp/#/rc": "pricing.RateComponentListResponse",
    "tp/#/rc/#": "pricing.RateComponentResponse",
    "tp/#/rc/#/tti": "pricing.TimeTariffIntervalListResponse",
    "tp/#/rc/#/tti/#": "pricing.TimeTariffIntervalResponse",
    "rsps": "response.ResponseSetList",
    "rsps/#/rsp": "response.ResponseListResponse",
}


def model_of(pattern: str) -> Any:
    module, _, name = MODELS[pattern].partition(".")
    return getattr(importlib.import_module(f"envoy_schema.server.schema.sep2.{module}"), name)


@pytest.mark.parametrize("caller", [ALICE, AGGREGATOR])
def test_envoys_models_read_all_that_they_have_a_type_for(caller):
    """Of CSIP-AUS 1.3, whose namespace they have. What is counted there is counted by them too."""
    found = town("csipaus-1.3")
    met = set()
    for path, reply in found.everything(caller):
        pattern = pattern_of(path)[0]
        if pattern not in MODELS:
            continue
        read = model_of(pattern).from_xml(reply.body)
        met.add(pattern)
        assert read.href == found.hrefs.write(path)
        if hasattr(read, "all_"):
            assert read.all_ == found.get(path, caller).all
    assert met == set(MODELS)
