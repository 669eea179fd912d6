// The version of Rheobase, for #if. CMakeLists.txt carries the same; the build stops where they differ.
#pragma once

#define RHEO_VERSION_MAJOR 0
#define RHEO_VERSION_MINOR 1
#define RHEO_VERSION_PATCH 0
#define RHEO_VERSION (RHEO_VERSION_MAJOR * 10000 + RHEO_VERSION_MINOR * 100 + RHEO_VERSION_PATCH)
#define RHEO_VERSION_STRING "0.1.0"
