import psutil

from perturbation.output.prediction_file import available_memory


def cgroup(root, limit, usage):
    (root / "memory.max").write_text(limit)
    (root / "memory.current").write_text(usage)
    return root


def test_without_a_cgroup_it_is_what_the_machine_has(tmp_path):
    assert 0 < available_memory(tmp_path) <= psutil.virtual_memory().total


def test_the_cgroups_limit_counts_what_is_used_already(tmp_path):
    assert available_memory(cgroup(tmp_path, "3000\n", "1000\n")) == 2000


def test_a_cgroup_without_a_limit_is_no_limit(tmp_path):
    assert available_memory(cgroup(tmp_path, "max\n", "1000\n")) > 3000


def test_a_container_of_the_first_version_is_understood(tmp_path):
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("3000\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("500\n")
    assert available_memory(tmp_path) == 2500
