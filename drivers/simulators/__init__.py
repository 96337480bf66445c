"""Device simulators: worlds on real TCP sockets, in their own processes, with physics and faults on demand.

They stand on the far side of the wire. They must not know the driver: no decoder, link or profile is shared with it, so
that one mistake cannot sit on both sides and cancel out.

Read in this order: clock, modbus_frames, faults, write_log, device, modbus_server, control, registers, physics,
reversion, sunspec_layout, battery_controls, battery_inverter, ev_physics, ev_charger, running, command.
"""
