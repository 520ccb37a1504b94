"""The stairs: one function a use case, each authorises, does and records in one transaction.

The whole line on one screen:

    publish.offer -> publish.take_part -> publish.complete      a connector hands over a delivery
    deciding.decide_next    receive -> verify -> validate -> accept a version (bad rows to quarantine)
    linking.link_if_needed  link people and households across the newest versions
    running.run_next        run a plugin under its agreement, in the sandbox -> check outputs -> hold
    releasing.decide        somebody else than the author releases
    viewing.open_household  a service user sees the whole picture, for a purpose and a reason, and it is logged
    work.work_once          what a worker does, in this order, again and again
"""
