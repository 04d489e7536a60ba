#pragma once
#include <bpf/btf.h>
#include <bpf/libbpf.h>
