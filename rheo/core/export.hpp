// RHEO_API marks what librheobase offers to programs; everything else is hidden.
#pragma once

#if defined(_WIN32)
#if defined(RHEO_BUILDING_LIBRARY)
#define RHEO_API __declspec(dllexport)
#else
#define RHEO_API __declspec(dllimport)
#endif
#else
#define RHEO_API __attribute__((visibility("default")))
#endif
